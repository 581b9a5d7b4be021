//! Who may not come in, and what is said by those who may and mean no good.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raytree::{Error, get_all};
use raytree_wire::{Hello, Plane, Stream, Tls, Token, dial};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{Shutdown, getpeername, getsockname, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::support::{Cluster, children, of, told, until};
use super::{process, square};

pub(crate) const WITHIN: Duration = Duration::from_secs(20);

/// A home with a token of its own.
fn stranger(cluster: &Cluster) -> std::path::PathBuf {
    let home = cluster.folder.path().join("stranger");
    fs::create_dir(&home).expect("a folder");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("ours");
    home
}

#[test]
fn who_has_another_token_is_told_so_and_nobody_else_notices() {
    let plan = of(who_has_another_token_is_told_so_and_nobody_else_notices);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let (home, address) = (stranger(&cluster), cluster.address.to_string());
    let strange = |args: &[&str]| {
        let mut command = cluster.command(args);
        told(command.env("XDG_CONFIG_HOME", &home).output().expect("it runs"))
    };
    let join = ["start", "--block", "--join", &address, "--name", "stranger"];
    for args in [&join[..], &["status", "--address", &address]] {
        let (out, err, code) = strange(args);
        assert_eq!((&*out, code), ("", 2), "{err}");
        let said = err.lines().last().unwrap_or_default();
        assert!(said.starts_with("raytree: ") && said.contains("token"), "{args:?}: {err}");
    }
    let refused = cluster.init_with(&address, &home.join("raytree/token")).start();
    let Err(Error::StartFailed { reason }) = refused else { panic!("it was let in") };
    assert!(reason.contains(&address) && reason.contains("token"), "{reason}");
    let nowhere = home.join("nowhere");
    let refused = cluster.init_with(&address, &nowhere).start();
    let Err(Error::StartFailed { reason }) = refused else { panic!("it was let in") };
    assert!(reason.contains(&nowhere.display().to_string()), "{reason}");
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
    let status = cluster.status();
    assert!(status.is_healthy() && status.nodes.len() == 2 && status.jobs.len() == 1);
}

#[test]
fn a_second_node_of_one_name_is_refused_and_the_first_goes_on() {
    let plan = of(a_second_node_of_one_name_is_refused_and_the_first_goes_on);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let address = cluster.address.to_string();
    for name in ["node-1", "head"] {
        let join = ["start", "--block", "--join", &address, "--name", name];
        let (out, err, code) = cluster.raytree(&join);
        assert_eq!((&*out, code), ("", 2));
        let said = err.lines().last().unwrap_or_default();
        assert!(
            said.contains("another node has its name") && said.contains("cluster.name"),
            "{err}"
        );
    }
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
    cluster.until_up(2);
}

/// Bytes that are no handshake: random ones, and beginnings of other protocols.
fn garbage() -> Vec<Vec<u8>> {
    let mut seed = 7_u64;
    let mut random = |length: usize| -> Vec<u8> {
        let next = |_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        };
        (0..length).map(next).collect()
    };
    let mut all: Vec<_> = [0, 1, 15, 16, 17, 48, 4096, 1 << 20].map(&mut random).into();
    all.extend([b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 70_000], vec![0; 70_000]]);
    all
}

fn pelt(at: SocketAddr) {
    for bytes in garbage() {
        let mut socket = TcpStream::connect(at).expect("a listener");
        // It hangs up when it has seen enough.
        _ = socket.write_all(&bytes);
        _ = socket.shutdown(std::net::Shutdown::Write);
        _ = socket.read_to_end(&mut Vec::new());
    }
}

/// Somebody who knows the token.
struct Insider {
    token: Token,
    tls: Option<Tls>,
}

impl Insider {
    fn of(cluster: &Cluster) -> Self {
        let token = Token::load(cluster.token_file()).expect("its token");
        Self { token, tls: None }
    }

    fn comes(&self, at: SocketAddr, plane: Plane, greeting: &str) -> Stream {
        let hello = Hello::new(plane, "insider", greeting).expect("a greeting");
        dial(at, &self.token, self.tls.as_ref(), &hello, WITHIN).expect("let in")
    }

    /// Says all kinds of nonsense on every plane.
    fn raves(&self, at: SocketAddr, greetings: &[(Plane, &str)]) {
        let large = [u32::MAX.to_le_bytes().to_vec(), vec![b'['; 70_000]].concat();
        let nested = [100_000_u32.to_le_bytes().to_vec(), vec![b'['; 100_000]].concat();
        let nonsense = [vec![], vec![1, 2], large, nested, garbage().swap_remove(6)];
        for (plane, greeting) in greetings {
            for bytes in &nonsense {
                let (mut reads, mut writes) = self.comes(at, *plane, greeting).split();
                // It hangs up when it has seen enough.
                _ = writes.write_all(bytes);
                _ = writes.finish();
                _ = reads.read_to_end(&mut Vec::new());
            }
        }
    }
}

/// Cuts the connections of a process with whoever listens at a port: how many there were.
pub(crate) fn cut(of: u32, port: u16) -> usize {
    let pid = Pid::from_raw(of.cast_signed()).expect("a pid");
    let own = pidfd_open(pid, PidfdFlags::empty()).expect("it lives");
    let fds = fs::read_dir(format!("/proc/{of}/fd")).expect("it lives").flatten();
    let fds = fds.filter_map(|fd| fd.file_name().to_str()?.parse().ok());
    let cut = fds.filter(|fd: &i32| {
        let Ok(socket) = pidfd_getfd(&own, *fd, PidfdGetfdFlags::empty()) else { return false };
        let peer = getpeername(&socket).ok().and_then(|peer| peer);
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        let is_it = peer.is_some_and(|peer| peer.port() == port);
        is_it && shutdown(&socket, Shutdown::Both).is_ok()
    });
    cut.count()
}

/// Which sockets a process has.
pub(crate) fn inodes(of: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{of}/fd")).expect("it lives").flatten();
    let links = links.filter_map(|link| fs::read_link(link.path()).ok());
    let inode =
        |link: PathBuf| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').into());
    links.filter_map(inode).collect()
}

/// Where a process listens.
pub(crate) fn port(of: u32) -> SocketAddr {
    let inodes = inodes(of);
    let sockets = fs::read_to_string(format!("/proc/{of}/net/tcp")).expect("sockets");
    let at = sockets.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let listens = words[3] == "0A" && inodes.iter().any(|inode| inode == words[9]);
        let (_, port) = words[1].split_once(':').filter(|_| listens)?;
        u16::from_str_radix(port, 16).ok()
    });
    ([127, 0, 0, 1], at.expect("a port that it listens on")).into()
}

#[test]
fn nonsense_at_a_head_and_at_a_worker_costs_who_says_it_its_connection() {
    let plan = of(nonsense_at_a_head_and_at_a_worker_costs_who_says_it_its_connection);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let worker = driver.run(async { process::remote().await });
    let (head, worker_at) = (cluster.address, port(worker));
    pelt(head);
    pelt(worker_at);
    let insider = Insider::of(&cluster);
    let of_a_worker = r#"{"calls":{"worker":{"job":1,"node":"node-1","incarnation":1,"life":9}}}"#;
    let greetings = [
        (Plane::Control, "nonsense"),
        (Plane::Control, "\"driver\""),
        (Plane::Control, r#"{"node":{"process":7}}"#),
        (Plane::Beats, r#"{"beats":{"process":7}}"#),
        (Plane::Bytes, r#"{"fetch":{"program":"nonsense"}}"#),
        (Plane::Calls, "\"status\""),
    ];
    insider.raves(head, &greetings);
    insider.raves(worker_at, &[(Plane::Calls, of_a_worker), (Plane::Control, "\"stop\"")]);
    let ran = driver.run(async { get_all((0..50).map(|_| process::remote())).await });
    assert!(ran.contains(&worker));
    until("nobody but those who belong to it", || {
        let status = cluster.status();
        status.is_healthy() && status.nodes.len() == 2 && status.jobs.len() == 1
    });
    assert_eq!(cluster.status().nodes.iter().filter(|node| node.life != 1).count(), 0);
}

#[test]
fn a_crowd_at_the_door_that_says_nothing_keeps_nobody_out() {
    let plan = of(a_crowd_at_the_door_that_says_nothing_keeps_nobody_out);
    let cluster = plan.nodes(1).start();
    let crowd: Vec<_> =
        (0..200).map(|_| TcpStream::connect(cluster.address).expect("a listener")).collect();
    // Beats and sessions go on; who comes now is let in when the first of the crowd are sent away.
    until("an answer", || cluster.raytree(&["status"]).2 == 0);
    drop(crowd);
    let driver = cluster.driver();
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
}

/// An address of this machine by which others reach it, if it has one. Nothing is sent.
fn exposed() -> Option<std::net::IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[test]
fn a_cluster_that_others_can_reach_is_encrypted() {
    let plan = of(a_cluster_that_others_can_reach_is_encrypted);
    let Some(address) = exposed() else {
        eprintln!("SKIPPED: this machine has no address but loopback ones");
        return;
    };
    let host = address.to_string();
    let mut cluster = plan.host(&host).start();
    cluster.join("node-1", &["--host", &host]);
    cluster.until_up(2);
    let driver = cluster.driver();
    let worker = driver.run(async { process::remote().await });
    assert!(
        children(cluster.own_node()).contains(&worker)
            || children(cluster.nodes[0].pid()).contains(&worker)
    );
    // The token alone opens nothing.
    let mut insider = Insider::of(&cluster);
    let hello = Hello::new(Plane::Control, "insider", "\"status\"").expect("a greeting");
    assert!(dial(cluster.address, &insider.token, None, &hello, WITHIN).is_err());
    insider.tls = Some(Tls::of_token(&insider.token).expect("a key"));
    let stream = insider.comes(cluster.address, Plane::Control, "\"status\"");
    assert!(stream.is_encrypted());
    let address = cluster.address.to_string();
    let insecure = ["start", "--block", "--join", &address, "--name", "open", "--host", &host];
    let (_, err, code) =
        cluster.raytree(&[&insecure[..], &["--set", "cluster.insecure=true"]].concat());
    assert!(code == 2 && !err.is_empty(), "{err}");
    let status = ["status", "--address", &address];
    let (out, err, _) = cluster.raytree(&status);
    assert!(out.contains("2 of 2 nodes up"), "{out}{err}");
    assert!(Path::new(&cluster.token_file()).exists());
}

#[test]
fn a_head_whose_port_is_taken_away_opens_it_again() {
    let cluster = of(a_head_whose_port_is_taken_away_opens_it_again).nodes(1).start();
    let driver = cluster.driver();
    let head = Pid::from_raw(i32::try_from(cluster.head.pid()).expect("a pid")).expect("a pid");
    let handle = pidfd_open(head, PidfdFlags::empty()).expect("it lives");
    let files = fs::read_dir(format!("/proc/{}/fd", cluster.head.pid())).expect("it lives");
    let numbers = files.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok());
    let held: Result<Vec<_>, _> =
        numbers.map(|file| pidfd_getfd(&handle, file, PidfdGetfdFlags::empty())).collect();
    let Ok(held) = held else {
        eprintln!("SKIPPED: this machine lets nobody have the files of others");
        return;
    };
    let is_port = |held: &&OwnedFd| {
        let at = getsockname(held).ok().and_then(|at| SocketAddr::try_from(at).ok());
        at == Some(cluster.address) && socket_acceptconn(held).unwrap_or_default()
    };
    let port = held.iter().find(is_port).expect("it listens");
    shutdown(port, Shutdown::Both).expect("ours");
    drop(held);
    until("a head that answers", || cluster.raytree(&["status"]).2 == 0);
    assert!(cluster.head.log().contains("nobody is let in any more"), "{}", cluster.head.log());
    // Who was in has not noticed, and others come.
    assert_eq!(driver.run(async { square::remote(3).await }), 9);
    let status = cluster.status();
    assert!(status.nodes.iter().all(|node| node.life == 1), "{status:?}");
    drop(driver);
    assert_eq!(cluster.driver().run(async { square::remote(4).await }), 16);
}
