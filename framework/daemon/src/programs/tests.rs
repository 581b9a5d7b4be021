//! Programs that are held, and fetched from a head that is busy, silent or wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use raytree_process::cluster::Terms;
use raytree_wire::{BindTo, Listener};
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// The header of this program, and then something else; and how a driver on another machine says that it runs it.
fn program() -> (Vec<u8>, Template) {
    let own = Program::of_this_process().expect("this program");
    let mut bytes = own.read_at(0, 64).expect("its header");
    bytes.resize(100_000, 7);
    let (id, length) = (ProgramId::of(&bytes), bytes.len() as u64);
    let manifest = Manifest { id, length, ..own.manifest().expect("its manifest") };
    let terms = Terms {
        threads: None,
        strict: false,
        namespace: String::new(),
        log_to_driver: false,
        lineage_bytes: 0,
    };
    let template = Template { manifest, args: Vec::new(), host: Host::default(), pid: 0, terms };
    (bytes, template)
}

fn programs() -> (TempDir, Arc<Programs>) {
    let folder = tempfile::tempdir().expect("a folder");
    let programs = Programs::new(folder.path(), 1 << 20);
    (folder, programs)
}

/// A head that has this program.
fn head(bytes: &[u8], manifest: &Manifest) -> (TempDir, Arc<Programs>, Hold) {
    let (folder, head) = programs();
    let cache = head.cache().expect("a cache");
    let incoming = cache.begin(manifest.id, manifest.length, &manifest.architecture);
    let mut incoming = incoming.expect("room");
    incoming.write(bytes).expect("written");
    let entry = incoming.finish().expect("whole");
    let hold = head.hold(manifest.id, Some(Executable::Cached(entry)));
    (folder, head, hold)
}

fn listen(serve: impl Fn(Stream) + Send + Sync + 'static) -> (Listener, Token) {
    let token = Token::random().expect("a token");
    let serve = Arc::new(serve);
    let to = BindTo::loopback(token.clone());
    let listener = Listener::bind(to, move |_, stream, _| {
        let serve = Arc::clone(&serve);
        thread::spawn(move || serve(stream));
    });
    (listener.expect("a port"), token)
}

#[test]
fn pr_1_whichever_of_two_finds_it_both_have_one_that_stays() {
    let (_folder, programs) = programs();
    let found = || {
        let program = Program::of_process(std::process::id()).expect("this program");
        let id = program.id().expect("its hash");
        programs.keep(id, Executable::InPlace(Arc::new(program)))
    };
    let (all, paths): (Vec<_>, Vec<_>) =
        [found(), found()].map(|(hold, executable)| (hold, executable.path())).into_iter().unzip();
    // Not whatever has the number of a file that is closed.
    let own = std::fs::read_link("/proc/self/exe").expect("this program");
    let is_it = |path: &PathBuf| std::fs::read_link(path).is_ok_and(|is| is == own);
    assert!(paths.iter().all(is_it), "{paths:?}");
    drop(all);
}

#[test]
fn pr_1_what_is_stored_is_there_for_whoever_waits_and_forgotten_after_the_last() {
    let (bytes, template) = program();
    let manifest = &template.manifest;
    let (_folder, head, _hold) = head(&bytes, manifest);
    let (_temp, own) = programs();
    let waits = own.look(&template);
    assert!(waits.executable().is_none());
    let entry = head.here(&template).expect("the head has it");
    own.comes(manifest.id, entry.clone());
    let other = own.look(&template);
    drop(waits);
    assert!(other.executable().is_some());
    drop(other);
    assert!(own.held.lock().is_empty());
    own.comes(manifest.id, entry);
    assert!(own.held.lock().is_empty(), "nobody waits");
}

#[test]
fn pr_2_jobs_that_want_one_program_fetch_it_once_also_from_a_busy_head() {
    let (bytes, template) = program();
    let manifest = template.manifest.clone();
    let (_folder, head, _hold) = head(&bytes, &manifest);
    let (knocks, sent) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&sent);
    let (listener, token) = listen(move |stream| match knocks.fetch_add(1, Ordering::Relaxed) {
        0 => is_busy(stream),
        1 => drop(stream),
        _ => {
            counted.fetch_add(1, Ordering::Relaxed);
            send(&head, manifest.id, stream);
        }
    });
    let (_temp, own) = programs();
    let all: Vec<_> = (0..4)
        .map(|_| {
            let (own, token, template) = (Arc::clone(&own), token.clone(), template.clone());
            let head = listener.local_addr();
            thread::spawn(move || {
                let from = From { head, token: &token, tls: None, name: "n" };
                own.get(&template, &from, &Fetch::default()).expect("fetched")
            })
        })
        .collect();
    let all: Vec<_> = all.into_iter().map(|one| one.join().expect("no panic")).collect();
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    let path = all[0].1.path();
    assert_eq!(std::fs::read(path).expect("the program"), bytes);
    assert_eq!(own.held.lock().len(), 1);
    drop(all);
    assert!(own.held.lock().is_empty());
}

#[test]
fn pr_3_a_fetch_from_a_silent_head_ends_when_nobody_wants_it() {
    let (_bytes, template) = program();
    let (tell, told) = sync_channel(1);
    let (listener, token) = listen(move |stream| _ = tell.send(stream));
    let (_temp, own) = programs();
    let fetch = Arc::new(Fetch::default());
    let (wanted, programs, template) = (Arc::clone(&fetch), Arc::clone(&own), Arc::new(template));
    let (head, same) = (listener.local_addr(), Arc::clone(&template));
    let known = token.clone();
    let waits = thread::spawn(move || {
        let from = From { head, token: &known, tls: None, name: "n" };
        programs.get(&same, &from, &wanted)
    });
    let held = told.recv_timeout(PATIENCE).expect("it dials");
    fetch.give_up(&own);
    let given_up = waits.join().expect("no panic");
    assert!(matches!(given_up, Err(ProgramMissing::GivenUp)), "{given_up:?}");
    let from = From { head, token: &token, tls: None, name: "n" };
    let again = own.get(&template, &from, &fetch);
    assert!(matches!(again, Err(ProgramMissing::GivenUp)), "{again:?}");
    assert!(own.fetched.lock().is_empty());
    drop(held);
}

#[test]
fn pr_3_parts_without_bytes_are_no_progress() {
    let (bytes, template) = program();
    let (_temp, own) = programs();
    let mut sent = Vec::new();
    for part in [&bytes[..1000], &[], &bytes[1000..]] {
        write_frame(&mut sent, part, limits::PROGRAM_CHUNK_BYTES).expect("written");
    }
    let taken = take(&own.cache().expect("a cache"), &template.manifest, &mut &sent[..]);
    assert!(matches!(taken, Err(ProgramMissing::Empty)), "{taken:?}");
}
