//! A private folder of sockets, runtimes in it, and the program that looks at them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use raytree::prelude::*;
use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("ours");
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// A runtime that can be seen.
    pub(crate) fn start(&self) -> Runtime {
        let init = raytree::init().cpus(1.0).threads(1).inspect_dir(self.0.path());
        let runtime = init.start().expect("a runtime");
        let number = runtime.id().to_string().replace("runtime-", "");
        let socket = self.0.path().join(format!("{}-{number}.sock", std::process::id()));
        until(|| socket.exists());
        runtime
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raytree"));
        command.args(arguments).env("RAYTREE_INSPECT_DIR", self.0.path()).env_remove("COLUMNS");
        command.stdin(Stdio::null());
        command
    }

    /// What it prints, what it says, how it ends.
    pub(crate) fn raytree(&self, arguments: &[&str]) -> (String, String, i32) {
        let output: Output = self.command(arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code().expect("no signal"))
    }

    /// As [`Place::raytree`], where everything is well; without what differs from run to run.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        let (out, err, code) = self.raytree(arguments);
        assert_eq!((&*err, code), ("", 0));
        let pid = std::process::id().to_string();
        let lines = out.lines().map(|line| match line.strip_prefix("raytree pid ") {
            Some(head) => {
                let head = head.replacen(&pid, "PID", 1);
                let words: Vec<&str> = head.split(' ').collect();
                assert!(words[1].starts_with("it-"), "the program's name: {head}");
                assert!(words[2].starts_with("runtime-") && words[3] == "up", "{head}");
                "raytree pid PID PROGRAM RUNTIME up TIME".to_owned()
            }
            None => line.to_owned(),
        });
        lines.map(|line| line + "\n").collect()
    }
}

/// Waits until a condition holds that is brought about elsewhere.
pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Spawns a child when told to, and fails when told to.
pub(crate) struct Parent(Vec<ActorHandle<Parent>>);

pub(crate) struct Spawn(pub(crate) String);
pub(crate) struct Panic;

impl Actor for Parent {
    type Args = ();
    async fn start(_: (), _ctx: &ActorContext<Self>) -> Result<Self, BoxError> {
        Ok(Self(Vec::new()))
    }
}

impl Call<Spawn> for Parent {
    type Reply = ActorHandle<Parent>;
    async fn call(&mut self, Spawn(name): Spawn, ctx: &ActorContext<Self>) -> ActorHandle<Parent> {
        let child = ctx.spawn::<Parent>((), free(&name)).expect("a child");
        self.0.push(child.clone());
        child
    }
}

impl Call<Panic> for Parent {
    type Reply = ();
    async fn call(&mut self, _: Panic, _ctx: &ActorContext<Self>) {
        panic!("index out of bounds:\nthe len is 3");
    }
}

/// Takes no CPU, and lives again after a failure.
pub(crate) fn free(name: &str) -> ActorOptions {
    ActorOptions::new().cpus(0.0).restarts(3).name(name)
}

/// Spawns `<name>` and below it `<name>_shard`; ready when everybody's probe is at rest.
pub(crate) fn family(runtime: &Runtime, name: &str) -> ActorHandle<Parent> {
    runtime.block_on(async {
        let top = runtime.spawn::<Parent>((), free(name)).expect("an actor");
        let below = top.call(Spawn(format!("{name}_shard"))).await.expect("a child");
        below.ready().await.expect("up");
        // A message is counted when its handler has returned.
        while top.probe().handled() < 2 || below.probe().handled() < 1 {
            tokio::task::yield_now().await;
        }
        top
    })
}
