//! Checkpoints: a folder with `model.safetensors` and `spec.json`, readable from Python.
//!
//! `spec.json` holds the writer's own `spec` and, for the tensors, their length and checksum, so that a damaged or
//! foreign checkpoint is told apart before anything is replaced by it.

use super::{with_suffix, write_json, write_synced};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

/// Only this is in its folder.
const FILES: [&str; 2] = ["model.safetensors", "spec.json"];
/// A checkpoint that is being replaced steps aside to its name and this.
const ASIDE: &str = ".replaced";
/// How many side folders of one checkpoint may be left over from crashes.
const SIDE_FOLDERS_MAX: u32 = 1_000;

/// Writes a checkpoint so that it is there whole or not at all: to a neighbouring folder first, which then takes its
/// name. A checkpoint of the same name is replaced at the end; anything else of that name is not.
///
/// `tensors` are the bytes of a safetensors file.
///
/// # Errors
/// [`Error::Io`] or [`Error::DiskFull`]; what has the name already is untouched.
pub fn write_checkpoint<S: Serialize>(folder: &Path, spec: &S, tensors: &[u8]) -> Result<()> {
    check_replaceable(folder)?;
    let partial = create_beside(folder)?;
    let written = fill(&partial, spec, tensors).and_then(|()| take_name(&partial, folder));
    if written.is_err() {
        // The first error is the one to tell.
        _ = fs::remove_dir_all(&partial);
    }
    written
}

/// What is not a checkpoint, or holds more than one, belongs to somebody else.
fn check_replaceable(folder: &Path) -> Result<()> {
    if fs::symlink_metadata(folder).is_err() || is_checkpoint(folder) {
        return Ok(());
    }
    let what = "it exists and is not a checkpoint alone";
    Err(Error::io("replace", folder)(io::Error::new(io::ErrorKind::AlreadyExists, what)))
}

/// Whether a folder was written here, and holds nothing else.
fn is_checkpoint(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }

    let Ok(entries) = fs::read_dir(folder) else { return false };
    let ours = |name: &OsStr| FILES.iter().any(|file| name == *file);
    if !entries.into_iter().all(|entry| entry.is_ok_and(|entry| ours(&entry.file_name()))) {
        return false;
    }
    let Ok(text) = fs::read(folder.join("spec.json")) else { return false };
    serde_json::from_slice::<Head>(&text).is_ok_and(|head| head.format == FORMAT)
}

/// A new folder beside another one.
fn create_beside(folder: &Path) -> Result<PathBuf> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    for attempt in 1..=SIDE_FOLDERS_MAX {
        let path = with_suffix(folder, &format!(".partial-{attempt}"));
        // Creating is the test: it fails if the folder exists.
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
    Err(Error::io("create", folder)(io::ErrorKind::AlreadyExists.into()))
}

fn fill<S: Serialize>(folder: &Path, spec: &S, tensors: &[u8]) -> Result<()> {
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

/// Moves a finished folder to its name. A checkpoint that has the name already steps aside first and is then removed.
fn take_name(from: &Path, to: &Path) -> Result<()> {
    let aside = with_suffix(to, ASIDE);
    let replaces = to.exists();
    if replaces {
        // One that a crash left there is older than the one that has the name.
        if is_checkpoint(&aside) {
            fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))?;
        }
        // Fails if anything else is there.
        fs::rename(to, &aside).map_err(Error::io("rename", to))?;
    }
    if let Err(error) = fs::rename(from, to) {
        if replaces {
            // Best effort: the old checkpoint is read under its other name too.
            _ = fs::rename(&aside, to);
        }
        return Err(Error::io("rename", from)(error));
    }
    if is_checkpoint(&aside) {
        // The new one is in its place; one left over costs only room.
        _ = fs::remove_dir_all(&aside);
    }
    Ok(())
}

/// The folder, or where its checkpoint stepped aside if a crash kept the new one from taking its place.
fn whole(folder: &Path) -> PathBuf {
    let aside = with_suffix(folder, ASIDE);
    let lost = fs::symlink_metadata(folder).is_err() && is_checkpoint(&aside);
    if lost { aside } else { folder.to_owned() }
}

/// Reads a checkpoint back.
///
/// # Errors
/// [`Error::Io`] if it is not there; [`Error::BadFile`], naming file and field, if it is damaged or foreign.
pub fn read_checkpoint<S: DeserializeOwned>(folder: &Path) -> Result<Checkpoint<S>> {
    let folder = whole(folder);
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

    #[test]
    fn what_is_not_a_checkpoint_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let refused = |path: &Path| {
            let error = write_checkpoint(path, &spec(1), &[7; 100]).unwrap_err();
            let Error::Io { source, .. } = &error else { panic!("{error}") };
            assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
            error.to_string()
        };
        let (folder, file) = (root.path().join("results"), root.path().join("notes"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("thesis.txt"), "years of work").unwrap();
        fs::write(&file, "years of work").unwrap();
        let message = refused(&folder);
        assert!(message.starts_with("cannot replace ") && message.contains("results"), "{message}");
        assert!(message.ends_with(": it exists and is not a checkpoint alone"), "{message}");
        refused(&file);
        // Somebody else's spec, and one's own beside something else.
        fs::write(folder.join("spec.json"), "{\"format\": \"other\"}").unwrap();
        refused(&folder);
        let kept = root.path().join("kept");
        write_checkpoint(&kept, &spec(1), &[7; 100]).unwrap();
        fs::write(kept.join("notes"), "years of work").unwrap();
        refused(&kept);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3, "nothing half-written stays");
        for notes in [folder.join("thesis.txt"), file, kept.join("notes")] {
            assert_eq!(fs::read_to_string(notes).unwrap(), "years of work");
        }
    }

    #[test]
    fn side_folders_of_others_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        let others = ["a.partial", "a.partial-1", "a.old"].map(|name| root.path().join(name));
        for other in &others {
            fs::create_dir(other).unwrap();
            fs::write(other.join("notes"), "mine").unwrap();
        }
        for steps in [1, 2] {
            write_checkpoint(&folder, &spec(steps), &[7; 100]).unwrap();
        }
        assert!(others.iter().all(|other| other.join("notes").exists()));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 4);
        // Something where the old checkpoint would step aside: the old one stays in its place.
        let aside = with_suffix(&folder, ASIDE);
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join("notes"), "mine").unwrap();
        write_checkpoint(&folder, &spec(3), &[7; 100]).unwrap_err();
        assert_eq!(read_checkpoint::<Spec>(&folder).unwrap().spec, spec(2));
        assert!(aside.join("notes").exists());
    }

    #[test]
    fn a_crash_between_the_renames_loses_no_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        write_checkpoint(&folder, &spec(1), &[7; 100]).unwrap();
        fs::rename(&folder, with_suffix(&folder, ASIDE)).unwrap();
        assert_eq!(read_checkpoint::<Spec>(&folder).unwrap().spec, spec(1));
        write_checkpoint(&folder, &spec(2), &[7; 100]).unwrap();
        assert_eq!(read_checkpoint::<Spec>(&folder).unwrap().spec, spec(2));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "the older one is gone");
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
