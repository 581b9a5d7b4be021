//! Reference numbers: every case of every file.

mod cartpole;
mod gae;
mod policy_gradient;
mod running_stats;

use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Reads a golden file from `tests/golden` of the repository, or from the folder that `RAYTREE_GOLDEN` names.
/// Infinities, which JSON does not have, are read as `null`.
fn load<T: DeserializeOwned>(file: &str) -> T {
    let folder = std::env::var_os("RAYTREE_GOLDEN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")),
        PathBuf::from,
    );
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let text = text.replace("-Infinity", "null").replace("Infinity", "null");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Asserts `|got - want| <= relative |want| + absolute`.
#[track_caller]
fn close(what: &str, got: f64, want: f64, relative: f64, absolute: f64) {
    let bound = relative * want.abs() + absolute;
    assert!((got - want).abs() <= bound, "{what}: got {got}, want {want}");
}

/// [`close`] for single precision: 1e-5 relative, 1e-6 absolute.
#[track_caller]
fn close_f32(what: &str, got: f64, want: f64) {
    close(what, got, want, 1e-5, 1e-6);
}

#[track_caller]
fn all_close_f32(what: &str, got: &[f32], want: impl IntoIterator<Item = f64>) {
    let want: Vec<f64> = want.into_iter().collect();
    assert_eq!(got.len(), want.len(), "{what}");
    for (index, (&got, want)) in got.iter().zip(want).enumerate() {
        close_f32(&format!("{what}[{index}]"), f64::from(got), want);
    }
}

fn f32s<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Vec<f32> {
    numbers.into_iter().map(|&x| x as f32).collect()
}
