//! A tree with a dashboard, and a browser that is none.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::Duration;

use raytree_dashboard::access::{Access, Key};
use raytree_dashboard::{Entry, Served, Source, dashboard, start};
use raytree_inspector::{Door, Inspected, Owners, Whose};
use raytree_supervise::{
    Actor, Addr, ChildSpec, Context, Failure, Probe, Root, Supervisor, SupervisorSpec, clock,
};
use raytree_types::inspect::{
    ActorState, ClusterStatus, DashboardStatus, JobStatus, LogMark, LogQuery, LogText, NodePhase,
    NodeStatus, Refused, Role,
};
use raytree_types::logs::{LogLine, LogSource, Output};
use raytree_types::state::{Rows, Span, StateQuery};
use raytree_types::{ActorIds, JobId, Resources, RuntimeId, Strategy};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// An actor that does nothing.
struct Idle;

#[derive(strum::IntoStaticStr)]
enum IdleMsg {}

impl Actor for Idle {
    type Msg = IdleMsg;
    type Args = ();

    async fn start(_ctx: &Context<IdleMsg>, (): ()) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: &Context<IdleMsg>, message: IdleMsg) -> Result<(), Failure> {
        match message {}
    }
}

/// What is shown.
struct Shown {
    id: RuntimeId,
    door: Arc<Door>,
    root: Root,
}

impl Inspected for Shown {
    fn id(&self) -> RuntimeId {
        self.id
    }

    fn door(&self) -> &Arc<Door> {
        &self.door
    }

    fn root(&self) -> Arc<Probe> {
        Arc::clone(self.root.probe())
    }

    fn cluster(&self) -> Option<String> {
        Some("10.0.0.1:6380".to_owned())
    }

    fn owners(&self) -> Option<Owners> {
        None
    }

    fn lists(&self, query: &StateQuery) -> Rows {
        super::records::lists(query)
    }

    fn ran(&self) -> (Vec<Span>, u64) {
        (vec![super::records::span()], 3)
    }

    fn log(&self, _whose: Whose<'_>, query: &LogQuery) -> Result<LogText, Refused> {
        let lines =
            Output::BOTH.into_iter().filter(|own| query.output.is_none_or(|one| one == *own));
        let lines =
            lines.map(|output| LogLine { output, text: format!("the last of {}", query.tail) });
        let source = LogSource { name: "head".to_owned(), pid: std::process::id(), node: None };
        let (folder, next) = ("/logs".to_owned(), LogMark::default());
        Ok(LogText { source, folder, lines: lines.collect(), is_cut: true, next })
    }
}

struct Head(Arc<Shown>);

impl Source for Head {
    fn inspected(&self) -> Option<Weak<dyn Inspected>> {
        Some(Arc::downgrade(&self.0) as Weak<dyn Inspected>)
    }

    fn status(&self) -> ClusterStatus {
        let cpus = Resources::cpus(4.0);
        let node = NodeStatus {
            name: "node-1".to_owned(),
            life: 1,
            phase: NodePhase::Up,
            address: "127.0.0.1 pid 9".to_owned(),
            total: cpus.clone(),
            free: cpus,
            version: "0.1.0".to_owned(),
            metrics: Some("10.0.0.1:1".to_owned()),
        };
        let job = JobStatus {
            job: JobId(1),
            program: "train".to_owned(),
            age: Duration::from_secs(5),
            workers: 1,
        };
        let url = "http://10.0.0.1:8265".to_owned();
        ClusterStatus {
            version: ClusterStatus::VERSION,
            pid: 8,
            address: "10.0.0.1:6380".to_owned(),
            uptime: Duration::from_secs(60),
            nodes: vec![node],
            jobs: vec![job],
            detached: Vec::new(),
            detached_count: 0,
            dashboard: Some(DashboardStatus { url, epoch: EPOCH.to_owned() }),
            metrics: Some("10.0.0.1:2".to_owned()),
        }
    }

    fn health(&self) -> Result<(), String> {
        match self.0.root.probe().find("gcs").map(|gcs| gcs.state()) {
            Some(ActorState::Running) => Ok(()),
            state => Err(format!("gcs is {state:?}")),
        }
    }
}

pub(crate) const EPOCH: &str = "life-1";

/// A dashboard that is asked over its port.
pub(crate) struct Board {
    pub(crate) root: Root,
    pub(crate) key: Key,
    pub(crate) address: SocketAddr,
    _shown: Arc<Shown>,
    _runtime: Runtime,
}

impl Board {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let entered = runtime.enter();
        let gcs = Addr::system::<Supervisor>("gcs");
        let scores = Addr::system::<Idle>("scores");
        scores.probe().is_actor(ActorIds::new(RuntimeId::given(7)).next());
        let below = move || {
            SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::actor::<Idle>(&scores, || ()))
        };
        let spec =
            SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::supervisor(&gcs, below));
        let root = Root::start("raytree", spec).unwrap();
        let id = RuntimeId::given(3);
        let door = Arc::new(Door::new(id, Role::Head, None));
        let shown = Arc::new(Shown { id, door, root: root.clone() });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let key = Key::new([7; 32]);
        let access = Access::new(key.clone(), EPOCH.to_owned());
        let source = Arc::new(Head(Arc::clone(&shown)));
        let router = dashboard(source, Entry { access, port: address.port() });
        start(&root, "dashboard", Served::new(listener, router));
        drop(entered);
        let board = Self { root, key, address, _shown: shown, _runtime: runtime };
        board.until("everybody is up", || {
            ["gcs/scores", "dashboard"].iter().all(|path| {
                let probe = board.root.probe().find(path);
                probe.is_some_and(|probe| probe.state() == ActorState::Running)
            })
        });
        board
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..10_000 {
            if holds() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        panic!("never: {what}");
    }

    /// Asks, with these lines in the head of the request, and whatever host they do not say.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &[&str]) -> Said {
        let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            lines.push(format!("Host: {}", self.address));
        }
        lines.push("Connection: close".to_owned());
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        Said::read(&all)
    }

    /// With the token.
    pub(crate) fn get(&self, path: &str) -> Said {
        let token = format!("Authorization: Bearer {}", self.key.bearer());
        self.ask("GET", path, &[&token])
    }

    pub(crate) fn code(&self, number: u64) -> String {
        self.key.code(EPOCH, clock::unix_time(), number)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let root = self.root.clone();
        self._runtime.block_on(root.shutdown(Duration::from_secs(5)));
    }
}

/// An answer.
pub(crate) struct Said {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Said {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (head, body) = (head.to_lowercase(), body.to_owned());
        Self { status: status.expect("a status"), head, body }
    }

    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|bad| panic!("{bad}: {}", self.body))
    }

    /// What an error is called.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// With every number that depends on the time or the process taken out.
pub(crate) fn timeless(value: &Value) -> String {
    let mut value = value.clone();
    wash("", &mut value);
    serde_json::to_string_pretty(&value).unwrap() + "\n"
}

fn wash(name: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_time = fields.contains_key("secs") && fields.contains_key("nanos");
            if is_time && !["within", "initial", "max", "wait", "after"].contains(&name) {
                *value = "TIME".into();
                return;
            }
            fields.iter_mut().for_each(|(name, value)| wash(name, value));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| wash(name, value)),
        Value::Number(_) if ["pid", "memory", "threads", "handled"].contains(&name) => {
            *value = "NUMBER".into();
        }
        Value::String(text) if name == "program" && text.starts_with("it-") => {
            *text = "PROGRAM".to_owned();
        }
        _ => {}
    }
}
