//! A new migration is noticed by the next build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
