//! Tells the crate which target it is compiled for: only build scripts are told its name.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo::rustc-env=RAYTREE_TARGET={target}");
}
