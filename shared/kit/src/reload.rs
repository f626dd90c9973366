//! Certificates and keys that change on disk while the process runs: files are looked at now and then, and what is new
//! is used from the next connection on. Connections and calls that are there already go on.

use std::{path::PathBuf, time::Duration};

use tokio::io::AsyncReadExt as _;

use crate::{
    Peer, Runtime,
    principal::Verifier,
    tls::{Credentials, Pem},
};

/// More than any bundle of certificates has.
const MAX_FILE: u64 = 1 << 20;

/// What files hold, or why they cannot be read.
type Found = Result<Vec<String>, String>;

/// Files that are looked at now and then.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    seen: Option<Found>,
    judged: Option<Found>,
}

impl Files {
    /// Files whose contents are not known yet: the second look finds them new.
    pub const fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            seen: None,
            judged: None,
        }
    }

    /// What the files hold, when that is new. Only what two looks in a row agree on counts, so that a file that is just
    /// being written, or a certificate whose key follows in a moment, is not judged.
    pub async fn look(&mut self) -> Option<Found> {
        let mut found = Ok(Vec::new());
        for path in &self.paths {
            let text = read(path).await;
            found = found.and_then(|mut texts: Vec<String>| {
                texts.push(text.map_err(|error| format!("{}: {error}", path.display()))?);
                Ok(texts)
            });
        }
        let is_settled = self.seen.as_ref() == Some(&found);
        self.seen = Some(found.clone());
        if !is_settled || self.judged.as_ref() == Some(&found) {
            return None;
        }
        self.judged = Some(found.clone());
        Some(found)
    }
}

async fn read(path: &PathBuf) -> std::io::Result<String> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(MAX_FILE).read_to_string(&mut text).await?;
    Ok(text)
}

/// An identity in use and where it comes from.
#[derive(Debug)]
pub struct Identity {
    /// What is kept new.
    pub credentials: Credentials,
    /// Who it must be: another's certificate is not taken.
    pub peer: Peer,
    /// In which trust domain.
    pub trust_domain: String,
    /// The authorities, the certificate and its key, as PEM.
    pub files: [PathBuf; 3],
}

impl Identity {
    /// Keeps the identity as its files are, for as long as the process runs, and warns when they end soon. What cannot be
    /// used is told once, and the identity stays what it was.
    pub fn follow(self, runtime: &Runtime, every: Duration) {
        let clock = runtime.clone();
        runtime.spawn_until_stop(async move {
            let mut files = Files::new(self.files.to_vec());
            let mut warned_of = None;
            loop {
                clock.sleep(every).await;
                if let Some(found) = files.look().await {
                    match found.and_then(|texts| self.take(&texts, &clock)) {
                        Ok(()) => {
                            tracing::info!(peer = %self.peer, until = %self.credentials.validity().end, "certificate read");
                        }
                        Err(problem) => {
                            tracing::warn!(peer = %self.peer, problem, "new certificates cannot be used; the old ones stay");
                        }
                    }
                }
                let validity = self.credentials.validity();
                if validity.is_ending(clock.now()) && warned_of != Some(validity.end) {
                    warned_of = Some(validity.end);
                    tracing::warn!(
                        peer = %self.peer, until = %validity.end, file = %self.certificate(),
                        "the certificate expires soon: put a new one there"
                    );
                }
            }
        });
    }

    fn certificate(&self) -> std::path::Display<'_> {
        let [_, certificate, _] = &self.files;
        certificate.display()
    }

    fn take(&self, texts: &[String], runtime: &Runtime) -> Result<(), String> {
        let [ca, cert, key] = texts else {
            return Err("an identity has three files".to_owned());
        };
        let pem = Pem {
            ca: ca.clone(),
            cert: cert.clone(),
            key: key.clone(),
        };
        let peer = pem
            .peer(&self.trust_domain, runtime.now())
            .map_err(|error| error.to_string())?;
        if peer != self.peer {
            return Err(format!("{} is the certificate of {peer}", self.certificate()));
        }
        self.credentials.replace(&pem).map_err(|error| error.to_string())
    }
}

/// Keeps the keys whose principals are believed as their files are, for as long as the process runs.
pub fn follow_keys(verifier: Verifier, files: Vec<PathBuf>, runtime: &Runtime, every: Duration) {
    let clock = runtime.clone();
    runtime.spawn_until_stop(async move {
        let mut files = Files::new(files);
        loop {
            clock.sleep(every).await;
            let Some(found) = files.look().await else { continue };
            let taken = found.and_then(|texts| {
                verifier
                    .replace(texts.iter().map(String::as_str))
                    .map_err(|error| error.to_string())
            });
            match taken {
                Ok(()) => tracing::info!("keys of principals read"),
                Err(problem) => {
                    tracing::warn!(
                        problem,
                        "new keys of principals cannot be used; the old ones stay"
                    );
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rand::{SeedableRng as _, rngs::StdRng};
    use tokio::time::Instant;

    use super::*;
    use crate::{Clock, ManualClock, principal::PrincipalKey, tls::DevAuthority};

    /// Short, so that no certificate ends while the clock is turned as often as it takes.
    const EVERY: Duration = Duration::from_millis(1);

    fn runtime() -> (Runtime, ManualClock) {
        let (clock, hand) = Clock::manual(Clock::system().now());
        (Runtime::new(clock, StdRng::seed_from_u64(1)), hand)
    }

    /// Lets time pass until something holds.
    async fn until(hand: &ManualClock, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            hand.advance(EVERY);
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_two_looks_agree_on_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut files = Files::new(vec![path.clone()]);
        assert_eq!(files.look().await, None);
        let missing = files.look().await.unwrap().unwrap_err();
        assert!(missing.contains("/a: "), "{missing}");
        assert_eq!(files.look().await, None);
        for text in ["half", "whole"] {
            fs::write(&path, text).unwrap();
            assert_eq!(files.look().await, None, "{text}");
        }
        assert_eq!(files.look().await, Some(Ok(vec!["whole".to_owned()])));
        assert_eq!(files.look().await, None);
    }

    #[tokio::test]
    async fn an_identity_follows_its_files_and_takes_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let (runtime, hand) = runtime();
        let authority = DevAuthority::new("aex", runtime.now()).unwrap();
        let files = ["ca", "pem", "key"].map(|name| folder.path().join(name));
        let put = |pem: &Pem| {
            let [ca, cert, key] = &files;
            fs::write(ca, &pem.ca).unwrap();
            fs::write(cert, &pem.cert).unwrap();
            fs::write(key, &pem.key).unwrap();
        };
        let first = authority.service("identity", runtime.now()).unwrap();
        put(&first);
        let credentials = Credentials::new(&first).unwrap();
        let identity = Identity {
            credentials: credentials.clone(),
            peer: Peer::Service("identity".to_owned()),
            trust_domain: "aex".to_owned(),
            files: files.clone(),
        };
        identity.follow(&runtime, EVERY);

        let hours = |hours| runtime.now().saturating_add(Duration::from_hours(hours));
        let foreign = authority.service("settlement", hours(3)).unwrap();
        let foreign_end = Credentials::new(&foreign).unwrap().validity().end;
        put(&foreign);
        for _ in 0..10 {
            hand.advance(EVERY);
            tokio::task::yield_now().await;
        }
        let second = authority.service("identity", hours(2)).unwrap();
        let end = Credentials::new(&second).unwrap().validity().end;
        put(&second);
        until(&hand, || {
            assert_ne!(credentials.validity().end, foreign_end);
            credentials.validity().end == end
        })
        .await;
    }

    #[tokio::test]
    async fn keys_of_principals_change_in_every_clone_of_the_verifier() {
        let folder = tempfile::tempdir().unwrap();
        let (runtime, hand) = runtime();
        let keys = [1, 2].map(|seed| PrincipalKey::from_seed(&[seed; 32]).unwrap());
        let [old, new] = &keys;
        let path = folder.path().join("principal.pub");
        fs::write(&path, old.public_pem()).unwrap();
        let verifier = Verifier::new([old.public_pem()]).unwrap();
        let guards = verifier.clone();
        follow_keys(verifier, vec![path.clone()], &runtime, EVERY);

        let principal = crate::Principal {
            tenant: aex_types::TenantId::from(uuid::Uuid::from_u128(
                0x0190_0000_0000_7000_8000_0000_0000_0001,
            )),
            tenant_type: crate::TenantType::Both,
            internal: false,
            key: aex_types::KeyId::from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002)),
            scopes: Vec::new(),
            provider: None,
        };
        let believes = |key: &PrincipalKey| {
            let now = runtime.now();
            guards.verify(&key.sign(&principal, now).unwrap(), now).is_some()
        };
        assert!(believes(old) && !believes(new));
        fs::write(&path, new.public_pem()).unwrap();
        until(&hand, || believes(new)).await;
        assert!(!believes(old));
    }
}
