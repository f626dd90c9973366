//! Every SQL statement is registered where it is written, so that a test can check all of them against the schema.

/// One statement of the program.
#[derive(Debug)]
pub struct Statement {
    /// The module that holds it.
    pub module: &'static str,
    /// Its text.
    pub text: &'static str,
}

inventory::collect!(Statement);

impl Statement {
    /// The statements of a crate.
    pub fn of(package: &str) -> impl Iterator<Item = &'static Self> {
        let package = package.replace('-', "_");
        inventory::iter::<Self>().filter(move |statement| {
            statement
                .module
                .strip_prefix(&package)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }
}

/// A SQL statement: its text, registered for the check against the schema.
#[macro_export]
macro_rules! sql {
    ($text:literal) => {{
        $crate::inventory::submit! {
            $crate::Statement { module: ::core::module_path!(), text: $text }
        }
        $text
    }};
}
