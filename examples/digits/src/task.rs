//! What is traded: a batch of images to be read, the answer, and when it is good enough.

use serde::{Deserialize, Serialize};

use crate::{
    images::{BLACK, DIGITS, Image, Pixels},
    methods::{Reader, share},
};

/// The category that batches are published in.
pub(crate) const CATEGORY: &str = "vision.classification";
/// The media type of batches and answers.
pub(crate) const JSON: &str = "application/json";

/// What a provider is to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// One list of 64 pixels for each image.
    images: Vec<Vec<u8>>,
}

/// What a provider delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// One digit for each image, in the order of the batch.
    digits: Vec<u8>,
}

/// What the consumer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Images read rightly.
    pub(crate) right: usize,
    /// Images of the batch.
    pub(crate) total: usize,
    /// Good enough to be paid.
    pub(crate) is_accepted: bool,
}

impl Verdict {
    /// The share that is right.
    pub(crate) fn accuracy(self) -> f64 {
        share(self.right, self.total)
    }
}

impl Batch {
    /// A batch of these images; what they show is not in it.
    pub(crate) fn of(images: &[Image]) -> Self {
        Self {
            images: images.iter().map(|image| image.pixels.to_vec()).collect(),
        }
    }

    /// As it is published.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| format!("a batch cannot be written: {error}"))
    }

    /// As it is handed to the provider.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let batch: Self = serde_json::from_slice(bytes).map_err(|error| format!("not a batch: {error}"))?;
        batch.pixels().map(|_| batch.clone())
    }

    /// Reads it.
    pub(crate) fn read_by(&self, reader: &dyn Reader) -> Result<Answer, String> {
        let digits = self.pixels()?.iter().map(|pixels| reader.read(pixels)).collect();
        Ok(Answer { digits })
    }

    fn pixels(&self) -> Result<Vec<Pixels>, String> {
        self.images.iter().map(|image| pixels(image)).collect()
    }
}

fn pixels(image: &[u8]) -> Result<Pixels, String> {
    Pixels::try_from(image)
        .ok()
        .filter(|pixels| pixels.iter().all(|pixel| *pixel <= BLACK))
        .ok_or_else(|| "an image has 64 pixels from 0 to 16".to_owned())
}

/// The first image of a batch, from the preview that every bidder may see.
pub(crate) fn first_of(preview: &str) -> Option<Pixels> {
    let (_, rest) = preview.split_once("[[")?;
    let (image, _) = rest.split_once(']')?;
    let image: Result<Vec<u8>, _> = image.split(',').map(|pixel| pixel.trim().parse()).collect();
    pixels(&image.ok()?).ok()
}

impl Answer {
    /// As it is delivered.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| format!("an answer cannot be written: {error}"))
    }

    /// As it came.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("not an answer: {error}"))
    }
}

/// How many of `total` have to be right for a share of them in percent.
pub(crate) fn needed(total: usize, percent: usize) -> usize {
    (total * percent).div_ceil(100)
}

/// Compares what was delivered with what the images show. What is no answer to this batch has nothing right.
pub(crate) fn judge(delivered: &[u8], truth: &[Image], percent: usize) -> Verdict {
    let digits = Answer::decode(delivered)
        .ok()
        .map(|answer| answer.digits)
        .filter(|digits| {
            digits.len() == truth.len() && digits.iter().all(|digit| usize::from(*digit) < DIGITS)
        })
        .unwrap_or_default();
    let right = digits
        .iter()
        .zip(truth)
        .filter(|(digit, image)| **digit == image.digit)
        .count();
    Verdict {
        right,
        total: truth.len(),
        is_accepted: !truth.is_empty() && right >= needed(truth.len(), percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images;

    fn some() -> Vec<Image> {
        images::load().unwrap().market[..20].to_vec()
    }

    fn answer(truth: &[Image], wrong: usize) -> Vec<u8> {
        let digits = truth.iter().enumerate();
        let digits = digits.map(|(index, image)| {
            if index < wrong {
                (image.digit + 1) % 10
            } else {
                image.digit
            }
        });
        Answer {
            digits: digits.collect(),
        }
        .encode()
        .unwrap()
    }

    #[test]
    fn a_batch_and_an_answer_come_back_as_they_went() {
        let batch = Batch::of(&some());
        assert_eq!(Batch::decode(&batch.encode().unwrap()), Ok(batch));
        let answer = Answer {
            digits: vec![0, 9, 4],
        };
        assert_eq!(answer.encode().unwrap(), br#"{"digits":[0,9,4]}"#);
        assert_eq!(Answer::decode(br#"{"digits":[0,9,4]}"#), Ok(answer));
    }

    #[test]
    fn a_batch_does_not_tell_what_its_images_show() {
        let mut others = some();
        for image in &mut others {
            image.digit = (image.digit + 3) % 10;
        }
        assert_eq!(Batch::of(&some()).encode(), Batch::of(&others).encode());
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        for wrong in [
            "",
            "{}",
            r#"{"images":[[1,2,3]]}"#,
            r#"{"images":[],"more":1}"#,
            "[]",
        ] {
            assert!(Batch::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let too_black = format!(r#"{{"images":[[{}17]]}}"#, "0,".repeat(63));
        assert!(Batch::decode(too_black.as_bytes()).is_err());
    }

    #[test]
    fn the_preview_shows_the_first_image() {
        let images = some();
        let text = String::from_utf8(Batch::of(&images).encode().unwrap()).unwrap();
        assert_eq!(first_of(&text[..500]), Some(images[0].pixels));
        for wrong in ["", "[[", "[[1,2]", r#"{"images":[]}"#] {
            assert_eq!(first_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_accepted_from_the_stated_share_on() {
        let truth = some();
        for (wrong, percent, is_accepted) in [
            (0, 100, true),
            (1, 100, false),
            (3, 85, true),
            (4, 85, false),
            (20, 85, false),
        ] {
            let verdict = judge(&answer(&truth, wrong), &truth, percent);
            assert_eq!(
                (verdict.right, verdict.total, verdict.is_accepted),
                (20 - wrong, 20, is_accepted)
            );
        }
        assert_eq!((needed(20, 85), needed(20, 86), needed(7, 50)), (17, 18, 4));
    }

    #[test]
    fn what_does_not_answer_the_batch_is_rejected() {
        let truth = some();
        let short = answer(&truth[..19], 0);
        let other = br#"{"digits":["nine"]}"#;
        for delivered in [b"".as_slice(), b"{}", &short, other, br#"{"digits":[]}"#] {
            let verdict = judge(delivered, &truth, 1);
            assert!(verdict.right == 0 && !verdict.is_accepted);
        }
        assert!(!judge(br#"{"digits":[]}"#, &[], 0).is_accepted);
    }
}
