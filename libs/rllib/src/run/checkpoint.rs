//! Checkpoints: a folder with `model.safetensors` and `spec.json`, readable from Python.
//!
//! `spec.json` holds the writer's own `spec` and, for the tensors, their length and checksum, so that a damaged or
//! foreign checkpoint is told apart before anything is replaced by it.

use super::{with_suffix, write_json, write_synced};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What `spec.json` says it is.
const FORMAT: &str = "raytree-rllib checkpoint";
/// Raised when the layout changes in a way that older readers cannot follow.
const VERSION: u32 = 1;

/// A checkpoint read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<S> {
    /// What the writer said about it.
    pub spec: S,
    /// The contents of `model.safetensors`.
    pub tensors: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct SpecFile<S> {
    format: String,
    version: u32,
    tensors_bytes: u64,
    tensors_crc32c: u32,
    spec: S,
}

/// Writes a checkpoint so that it is there whole or not at all: to a neighbouring folder first, which then takes its
/// name. A checkpoint of the same name is replaced at the end.
///
/// `tensors` are the bytes of a safetensors file.
///
/// # Errors
/// [`Error::Io`] or [`Error::DiskFull`]; a checkpoint of the same name is untouched.
pub fn write_checkpoint<S: Serialize>(folder: &Path, spec: &S, tensors: &[u8]) -> Result<()> {
    let partial = with_suffix(folder, ".partial");
    let written = fill(&partial, spec, tensors).and_then(|()| take_name(&partial, folder));
    if written.is_err() {
        // The first error is the one to tell.
        _ = fs::remove_dir_all(&partial);
    }
    written
}

fn fill<S: Serialize>(folder: &Path, spec: &S, tensors: &[u8]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    write_synced(&folder.join("model.safetensors"), tensors)?;
    let file = SpecFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        tensors_bytes: tensors.len() as u64,
        tensors_crc32c: crc32c::crc32c(tensors),
        spec,
    };
    write_json(&folder.join("spec.json"), &file)
}

/// Moves a finished folder to its name. One that has the name already steps aside first and is then removed.
fn take_name(from: &Path, to: &Path) -> Result<()> {
    let old = with_suffix(to, ".old");
    let replaces = to.exists();
    if replaces {
        if old.exists() {
            fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
        }
        fs::rename(to, &old).map_err(Error::io("rename", to))?;
    }
    if let Err(error) = fs::rename(from, to) {
        if replaces {
            // Best effort: the old checkpoint is safe under its other name anyway.
            _ = fs::rename(&old, to);
        }
        return Err(Error::io("rename", from)(error));
    }
    if replaces {
        fs::remove_dir_all(&old).map_err(Error::io("remove", &old))?;
    }
    Ok(())
}

/// Reads a checkpoint back.
///
/// # Errors
/// [`Error::Io`] if it is not there; [`Error::BadFile`], naming file and field, if it is damaged or foreign.
pub fn read_checkpoint<S: DeserializeOwned>(folder: &Path) -> Result<Checkpoint<S>> {
    let path = folder.join("spec.json");
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let bad = |reason: String| Error::BadFile { path: path.clone(), reason };
    let head: SpecFile<serde_json::Value> =
        serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    if head.format != FORMAT {
        return Err(bad(format!("`format` is `{}`, not `{FORMAT}`", head.format)));
    }
    if head.version > VERSION {
        let version = head.version;
        return Err(bad(format!("`version` is {version}; this program reads up to {VERSION}")));
    }
    let file: SpecFile<S> =
        serde_json::from_slice(&text).map_err(|error| bad(format!("`spec`: {error}")))?;

    let path = folder.join("model.safetensors");
    let tensors = fs::read(&path).map_err(Error::io("read", &path))?;
    let bad = |reason: String| Error::BadFile { path: path.clone(), reason };
    if tensors.len() as u64 != file.tensors_bytes {
        let (got, want) = (tensors.len(), file.tensors_bytes);
        return Err(bad(format!("it has {got} bytes where `tensors_bytes` says {want}")));
    }
    if crc32c::crc32c(&tensors) != file.tensors_crc32c {
        return Err(bad("its checksum is not `tensors_crc32c`".to_owned()));
    }
    Ok(Checkpoint { spec: file.spec, tensors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Spec {
        env: String,
        steps: u64,
    }

    fn spec(steps: u64) -> Spec {
        Spec { env: "CartPole-v1".to_owned(), steps }
    }

    #[test]
    fn a_checkpoint_comes_back_and_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("checkpoints/step_000000256");
        for steps in [1, 2] {
            write_checkpoint(&folder, &spec(steps), &[7; 100]).unwrap();
            let back: Checkpoint<Spec> = read_checkpoint(&folder).unwrap();
            assert_eq!(back, Checkpoint { spec: spec(steps), tensors: vec![7; 100] });
        }
        let entries = fs::read_dir(root.path().join("checkpoints")).unwrap().count();
        assert_eq!(entries, 1, "nothing half-written stays");
    }

    /// Damages a good checkpoint and returns what reading it says, without the path of its folder.
    fn message(damage: impl Fn(&Path)) -> String {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        write_checkpoint(&folder, &spec(1), &[7; 100]).unwrap();
        damage(&folder);
        let error = read_checkpoint::<Spec>(&folder).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.display()), "")
    }

    #[test]
    fn damage_is_told_by_file_and_field() {
        let edit = |from: &'static str, to: &'static str| {
            move |folder: &Path| {
                let path = folder.join("spec.json");
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(from));
                fs::write(&path, text.replace(from, to)).unwrap();
            }
        };
        let messages = [
            message(|folder| fs::write(folder.join("model.safetensors"), [7; 99]).unwrap()),
            message(|folder| fs::write(folder.join("model.safetensors"), [8; 100]).unwrap()),
            message(|folder| fs::remove_file(folder.join("model.safetensors")).unwrap()),
            message(|folder| fs::write(folder.join("spec.json"), "{").unwrap()),
            message(edit("raytree-rllib", "other")),
            message(edit("\"version\": 1", "\"version\": 9")),
            message(edit("\"steps\": 1", "\"steps\": \"many\"")),
            message(edit("\"steps\"", "\"staps\"")),
        ];
        expect_test::expect![[r#"
            model.safetensors is damaged or foreign: it has 99 bytes where `tensors_bytes` says 100
            model.safetensors is damaged or foreign: its checksum is not `tensors_crc32c`
            cannot read model.safetensors: No such file or directory (os error 2)
            spec.json is damaged or foreign: EOF while parsing an object at line 1 column 1
            spec.json is damaged or foreign: `format` is `other checkpoint`, not `raytree-rllib checkpoint`
            spec.json is damaged or foreign: `version` is 9; this program reads up to 1
            spec.json is damaged or foreign: `spec`: invalid type: string "many", expected u64 at line 8 column 19
            spec.json is damaged or foreign: `spec`: missing field `steps` at line 9 column 3"#]].assert_eq(&messages.join("\n"));
    }
}
