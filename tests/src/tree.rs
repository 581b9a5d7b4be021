//! The repository as text.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::lexed::{Lexed, lex, test_parts};

/// Folders at the root that hold outputs, never sources. The repository ignores them too.
const OUTPUTS: [&str; 2] = ["target", "runs"];

/// Hidden folders that belong to the repository.
const HIDDEN: [&str; 2] = [".ci", ".cargo"];

/// One text file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the root, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its parts, if it is Rust; else empty.
    pub lexed: Lexed,
    tests: Vec<(usize, usize)>,
}

impl Source {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether a line, from 1, is test code.
    #[must_use]
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// The lines of its code that are (or are not) test code, with their numbers from 1.
    pub fn code_lines(&self, test: bool) -> impl Iterator<Item = (usize, &str)> {
        self.lines(&self.lexed.code, test)
    }

    /// The same choice of lines from one of its views.
    pub fn lines<'a>(
        &'a self,
        view: &'a str,
        test: bool,
    ) -> impl Iterator<Item = (usize, &'a str)> {
        let numbered = view.lines().enumerate().map(|(at, line)| (at + 1, line));
        numbered.filter(move |(line, _)| self.is_test(*line) == test)
    }

    /// Its module documentation, with line numbers from 1.
    pub fn module_docs(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.lexed.comments.lines().enumerate();
        numbered.map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| line.starts_with("//!"))
    }
}

/// All text files of the repository, by path.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The files.
    pub sources: Vec<Source>,
}

impl Tree {
    /// Reads this repository: everything but outputs, hidden folders and what is not text.
    ///
    /// # Errors
    /// A folder or file cannot be read.
    pub fn load() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        files.sort();
        Ok(Self::new(files))
    }

    /// A tree of samples: path and text of each file.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self::new(
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect(),
        )
    }

    fn new(files: Vec<(String, String)>) -> Self {
        let mut test_files = HashSet::new();
        let mut sources: Vec<Source> = Vec::with_capacity(files.len());
        for (path, text) in files {
            let lexed = if path.ends_with(".rs") { lex(&text) } else { Lexed::default() };
            let parts = test_parts(&lexed.code);
            test_files.extend(parts.modules.iter().flat_map(|module| homes(&path, module)));
            sources.push(Source { path, text, lexed, tests: parts.spans });
        }
        for source in &mut sources {
            if lies_among_tests(&source.path) || test_files.contains(&source.path) {
                source.tests = vec![(1, usize::MAX)];
            }
        }
        Self { sources }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_rust())
    }

    /// The file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }
}

fn lies_among_tests(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// Where a module declared in `path` may live.
fn homes(path: &str, module: &str) -> [String; 4] {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    [
        format!("{folder}/{module}.rs"),
        format!("{folder}/{module}/mod.rs"),
        format!("{folder}/{stem}/{module}.rs"),
        format!("{folder}/{stem}/{module}/mod.rs"),
    ]
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN.contains(&&*name);
            let output = folder == root && OUTPUTS.contains(&&*name);
            if !hidden && !output {
                walk(root, &path, files)?;
            }
        } else if name == ".git" {
            // Of a linked worktree: it says where the repository is, and belongs to no one else.
        } else if let Some(text) = read_text(&path)? {
            files.push((relative(root, &path), text));
        }
    }
    Ok(())
}

/// `None` for what is not text, and for what has gone since its folder was listed.
fn read_text(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let parts: PathBuf = path.strip_prefix(root).unwrap_or(path).components().collect();
    parts.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_known_by_place_and_by_attribute() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "fn a() {}\n#[cfg(test)]\nmod check;\n"),
            ("a/src/check.rs", "fn b() {}\n"),
            ("a/tests/it.rs", "fn c() {}\n"),
            ("a/src/d/tests.rs", "fn d() {}\n"),
        ]);
        let is_test = |path: &str| tree.file(path).unwrap().is_test(1);
        assert!(!is_test("a/src/lib.rs"));
        assert!(is_test("a/src/check.rs"));
        assert!(is_test("a/tests/it.rs"));
        assert!(is_test("a/src/d/tests.rs"));
    }

    #[test]
    fn this_repository_is_found() {
        let tree = Tree::load().unwrap();
        assert!(tree.file("tests/src/tree.rs").unwrap().text.contains("this_repository_is_found"));
        assert!(tree.file(".ci/run").is_some());
        assert!(tree.sources.iter().all(|source| !source.path.starts_with("target/")));
    }
}
