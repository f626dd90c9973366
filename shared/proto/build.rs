//! Compiles `proto/` without protoc: messages, clients and servers by tonic, and from our own field options each
//! request's check, its idempotency key and its secrets.

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor,
};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders in no other way"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let mut compiler = protox::Compiler::new([&root])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(proto_files(&root)?)?;
    // The bytes keep our options, which the prost types of the descriptor cannot hold.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("aex.binpb"), &descriptors)?;

    let mut config = prost_build::Config::new();
    config.enable_type_names().bytes(["."]);
    tonic_prost_build::configure()
        .include_file("packages.rs")
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;

    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    fs::write(out.join("rules.rs"), Rules::of(&pool)?.code)?;
    Ok(())
}

fn proto_files(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

const DURATION: &str = "google.protobuf.Duration";
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Rust for the rules that the field options state.
struct Rules {
    limits: ExtensionDescriptor,
    secret: ExtensionDescriptor,
    code: String,
}

impl Rules {
    fn of(pool: &DescriptorPool) -> Result<Self, Box<dyn Error>> {
        let option = |name: &str| {
            pool.get_extension_by_name(name)
                .ok_or(format!("{name} is not defined"))
        };
        let mut rules = Self {
            limits: option("aex.common.v1.limits")?,
            secret: option("aex.common.v1.secret")?,
            code: String::new(),
        };
        for message in pool
            .all_messages()
            .filter(|message| message.package_name().starts_with("aex."))
        {
            rules.message(&message)?;
        }
        for reasons in pool.all_enums().filter(|of| of.name() == "ErrorReason") {
            rules.reasons(&reasons)?;
        }
        Ok(rules)
    }

    /// Reasons know their wire name and the domain that they belong to.
    fn reasons(&mut self, of: &EnumDescriptor) -> Result<(), Box<dyn Error>> {
        let rust = rust_enum(of);
        let service = of
            .package_name()
            .split('.')
            .nth(1)
            .unwrap_or_default()
            .replace('_', "-");
        write!(
            self.code,
            "impl crate::Reason for {rust} {{\n    fn name(&self) -> &'static str {{\n        \
             self.as_str_name().trim_start_matches(\"ERROR_REASON_\")\n    }}\n    \
             fn domain(&self) -> &'static str {{\n        \"{service}.aex\"\n    }}\n}}\n"
        )?;
        Ok(())
    }

    fn message(&mut self, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
        let rust = rust_path(message);
        let mut body = String::new();
        for field in message.fields() {
            self.field(&field, &mut body)?;
        }
        let check = if body.is_empty() { "_check" } else { "check" };
        writeln!(
            self.code,
            "impl crate::Rules for {rust} {{\n    fn check(&self, {check}: &mut crate::Checker<'_>) {{\n{body}    }}\n}}"
        )?;
        if message.get_field_by_name("idempotency_key").is_some() {
            writeln!(
                self.code,
                "impl crate::Keyed for {rust} {{\n    fn idempotency_key(&self) -> &str {{\n        &self.idempotency_key\n    }}\n}}"
            )?;
        }
        let secrets: Vec<_> = message.fields().filter(|field| self.is_secret(field)).collect();
        let blanks = secrets.iter().fold(String::new(), |mut blanks, field| {
            let _ = writeln!(blanks, "        self.{}.clear();", field.name());
            blanks
        });
        writeln!(
            self.code,
            "impl crate::Secrets for {rust} {{\n    fn blank(&mut self) {{\n{blanks}    }}\n}}"
        )?;
        Ok(())
    }

    fn is_secret(&self, field: &FieldDescriptor) -> bool {
        field
            .options()
            .get_extension(&self.secret)
            .as_bool()
            .unwrap_or_default()
    }

    fn field(&self, field: &FieldDescriptor, body: &mut String) -> Result<(), Box<dyn Error>> {
        let options = field.options();
        let limits = options.get_extension(&self.limits);
        let limits = limits
            .as_message()
            .filter(|_| options.has_extension(&self.limits))
            .map(Limits::read);
        let nested = match field.kind() {
            Kind::Message(message) if message.package_name().starts_with("aex.") => Some(message),
            _ => None,
        };
        // Every text is checked for what cannot be stored, every enum for values that do not exist, every moment
        // and span for whether it is one.
        let is_always_checked = match field.kind() {
            Kind::String | Kind::Enum(_) => true,
            Kind::Message(of) => [DURATION, TIMESTAMP].contains(&of.full_name()),
            _ => false,
        };
        if limits.is_none() && nested.is_none() && !is_always_checked {
            return Ok(());
        }
        let (name, member) = (field.name(), rust_member(field.name()));
        let literal = limits
            .as_ref()
            .map_or_else(|| "crate::Limits::NONE".to_owned(), Limits::literal);
        let call = match (field.kind(), field.is_list(), field.supports_presence()) {
            (Kind::String, true, _) => format!("texts(\"{name}\", &self.{member}, &{literal})"),
            (Kind::String, false, true) => {
                format!("optional_text(\"{name}\", self.{member}.as_deref(), &{literal})")
            }
            (Kind::String, false, false) => format!("text(\"{name}\", &self.{member}, &{literal})"),
            (Kind::Bytes, true, _) => format!("blobs(\"{name}\", &self.{member}, &{literal})"),
            (Kind::Bytes, false, false) => format!("bytes(\"{name}\", &self.{member}, &{literal})"),
            (Kind::Enum(of), false, false) => {
                format!(
                    "choice::<{}>(\"{name}\", self.{member}, &{literal})",
                    rust_enum(&of)
                )
            }
            (Kind::Enum(of), true, _) => {
                format!(
                    "choices::<{}>(\"{name}\", &self.{member}, &{literal})",
                    rust_enum(&of)
                )
            }
            (Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64, false, true) => {
                format!("optional_number(\"{name}\", self.{member}.map(i128::from), &{literal})")
            }
            (Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64, false, false) => {
                format!("number(\"{name}\", i128::from(self.{member}), &{literal})")
            }
            (Kind::Double, false, presence) => {
                let value = if presence {
                    format!("self.{member}")
                } else {
                    format!("Some(self.{member})")
                };
                format!("real(\"{name}\", {value}, &{literal})")
            }
            (Kind::Message(_), true, _) => {
                format!("messages(\"{name}\", &self.{member}, &{literal})")
            }
            (Kind::Message(of), false, _) if of.full_name() == DURATION => {
                format!("duration(\"{name}\", self.{member}.as_ref(), &{literal})")
            }
            (Kind::Message(of), false, _) if of.full_name() == TIMESTAMP => {
                format!("moment(\"{name}\", self.{member}.as_ref(), &{literal})")
            }
            (Kind::Message(_), false, _) if nested.is_some() && field.containing_oneof().is_none() => {
                format!("message(\"{name}\", self.{member}.as_ref(), &{literal})")
            }
            (Kind::Message(_), false, _) if field.containing_oneof().is_none() => {
                format!("presence(\"{name}\", self.{member}.is_some(), &{literal})")
            }
            (kind, ..) if limits.is_some() => {
                return Err(format!("{}: no rule for a field of kind {kind:?}", field.full_name()).into());
            }
            _ => return Ok(()),
        };
        writeln!(body, "        check.{call};")?;
        Ok(())
    }
}

/// The option as it stands in the contract.
struct Limits {
    required: bool,
    min_len: u32,
    max_len: u32,
    max_items: u32,
    id_prefix: String,
    min: Option<i64>,
    max: Option<i64>,
    format: i32,
}

impl Limits {
    fn read(message: &DynamicMessage) -> Self {
        let value = |name: &str| message.get_field_by_name(name).map(std::borrow::Cow::into_owned);
        let number = |name: &str| value(name).and_then(|value| value.as_u32()).unwrap_or_default();
        let bound = |name: &str| {
            value(name)
                .filter(|_| message.has_field_by_name(name))
                .and_then(|value| value.as_i64())
        };
        Self {
            required: value("required")
                .and_then(|value| value.as_bool())
                .unwrap_or_default(),
            min_len: number("min_len"),
            max_len: number("max_len"),
            max_items: number("max_items"),
            id_prefix: value("id_prefix")
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default(),
            min: bound("min"),
            max: bound("max"),
            format: value("format")
                .and_then(|value| value.as_enum_number())
                .unwrap_or_default(),
        }
    }

    fn literal(&self) -> String {
        let Self {
            required,
            min_len,
            max_len,
            max_items,
            id_prefix,
            min,
            max,
            format,
        } = self;
        format!(
            "crate::Limits {{ required: {required}, min_len: {min_len}, max_len: {max_len}, max_items: {max_items}, \
             id_prefix: \"{id_prefix}\", min: {min:?}, max: {max:?}, format: {format} }}"
        )
    }
}

fn rust_path(message: &MessageDescriptor) -> String {
    let package = message.package_name().replace('.', "::");
    let local = message
        .full_name()
        .trim_start_matches(message.package_name())
        .trim_start_matches('.');
    // The contracts nest no messages, so a local name has no dots.
    format!("crate::{package}::{local}")
}

fn rust_enum(of: &EnumDescriptor) -> String {
    format!("crate::{}::{}", of.package_name().replace('.', "::"), of.name())
}

fn rust_member(name: &str) -> String {
    if name == "type" {
        "r#type".to_owned()
    } else {
        name.to_owned()
    }
}
