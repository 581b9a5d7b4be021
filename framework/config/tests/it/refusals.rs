//! What is refused, and what is said of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use expect_test::{Expect, expect};
use raytree_config::{Config, LoadFrom};

use crate::support::{Folder, refusal, refusal_of_file};

fn argument(key: &str, value: &str) -> String {
    refusal(LoadFrom::default().argument(key, value))
}

fn variable(name: &str, value: &str) -> String {
    refusal(LoadFrom::default().variable(name, value))
}

/// Compares messages, one a line.
fn said<const N: usize>(messages: [String; N], expect: &Expect) {
    let lines: Vec<String> = messages.iter().map(|message| format!("{message}\n")).collect();
    expect.assert_eq(&lines.concat());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_name() {
    let messages = [
        argument("cluster.prot", "1"),
        argument("strict", "1"),
        argument("zebra", "1"),
        argument("cluster", "1"),
        argument("node.resources.disk", "1"),
        refusal_of_file("[clutser]\nport = 1\n"),
        refusal_of_file("[liveness]\nbeat = \"1s\"\n"),
        refusal_of_file("[zebra]\n"),
        refusal_of_file("[cluster.port]\nx = 1\n"),
        refusal_of_file("[zebra.zebra.zebra]\na = 1\n"),
        refusal_of_file("[cluster.tls]\ncert = 1\n"),
        refusal_of_file("cluster = 5\n"),
    ];
    said(
        messages,
        &expect![[r#"
            bad value cluster.prot for the name of a setting: there is no such setting: did you mean cluster.port? (from an argument)
            bad value strict for the name of a setting: there is no such setting: did you mean calls.strict? (from an argument)
            bad value zebra for the name of a setting: there is no such setting; the sections are cluster, liveness, node, calls, inspector, dashboard, metrics, logs (from an argument)
            bad value cluster for the name of a setting: it is a section, not a setting: write cluster.<name> (from an argument)
            bad value node.resources.disk for the name of a setting: it is no setting of its own: write node.resources=<name>=<amount>,.. (from an argument)
            bad value clutser.port for the name of a setting: there is no such setting: did you mean cluster.port? (from the file FILE)
            bad value liveness.beat for the name of a setting: there is no such setting: did you mean liveness.beat_every? (from the file FILE)
            bad value zebra for the name of a setting: there is no such setting; the sections are cluster, liveness, node, calls, inspector, dashboard, metrics, logs (from the file FILE)
            bad value a table for cluster.port: it is one value (from the file FILE)
            bad value zebra.zebra for the name of a setting: there is no such setting; the sections are cluster, liveness, node, calls, inspector, dashboard, metrics, logs (from the file FILE)
            bad value cluster.tls for the name of a setting: there is no such setting: did you mean cluster.tls_key? (from the file FILE)
            bad value cluster for the name of a setting: it is a section, not a setting: write cluster.<name> (from the file FILE)
        "#]],
    );
}

#[test]
fn unknown_variables_are_refused_without_their_value() {
    let messages = [
        variable("RAYTREE_CLUSTER_PORT", "hush"),
        variable("RAYTREE_PORT", "hush"),
        variable("RAYTREE_STRIKT", "hush"),
        variable("RAYTREE_GOLDEN_", "hush"),
        variable("RAYTREE_QQQQQQQQQQQQQQQQ", "hush"),
        variable("RAYTREE_", ""),
        variable("RAYTREE_Cluster__Port", "1"),
    ];
    said(
        messages,
        &expect![[r#"
            bad value RAYTREE_CLUSTER_PORT for the environment: it is not a setting: did you mean RAYTREE_CLUSTER__PORT?
            bad value RAYTREE_PORT for the environment: it is not a setting: did you mean RAYTREE_CLUSTER__PORT?
            bad value RAYTREE_STRIKT for the environment: it is not a setting: did you mean RAYTREE_STRICT?
            bad value RAYTREE_GOLDEN_ for the environment: it is not a setting: did you mean RAYTREE_GOLDEN?
            bad value RAYTREE_QQQQQQQQQQQQQQQQ for the environment: it is not a setting, and not one of RAYTREE_CHROMIUM, RAYTREE_CONFIG, RAYTREE_CONTEXT, RAYTREE_GOLDEN, RAYTREE_LOG, RAYTREE_ROLE*, RAYTREE_SCREENSHOTS, RAYTREE_TEST_*
            bad value RAYTREE_ for the environment: it is not a setting, and not one of RAYTREE_CHROMIUM, RAYTREE_CONFIG, RAYTREE_CONTEXT, RAYTREE_GOLDEN, RAYTREE_LOG, RAYTREE_ROLE*, RAYTREE_SCREENSHOTS, RAYTREE_TEST_*
            bad value RAYTREE_Cluster__Port for the environment: it is not a setting: did you mean RAYTREE_CLUSTER__PORT?
        "#]],
    );
}

#[test]
fn variables_of_others_and_of_other_programs_are_left_alone() {
    let mut from = LoadFrom::default().variable("RAY_ADDRESS", "x").variable("raytree_x", "x");
    // That one names a file, which has to exist.
    for other in raytree_config::OTHERS.iter().filter(|other| other.name != "RAYTREE_CONFIG") {
        from = from.variable(other.name.replace('*', "PROGRAM"), "x");
    }
    let strange = OsString::from_vec(vec![b'A', 0xff]);
    let config = Config::load(from.variable(strange.clone(), strange)).unwrap();
    assert_eq!(config, Config::load(LoadFrom::default()).unwrap());
}

#[test]
fn bad_values_are_refused_with_what_they_may_be_and_where_they_were_found() {
    let messages = [
        argument("liveness.beat_every", "100"),
        argument("liveness.beat_every", "9ms"),
        argument("cluster.port", "65536"),
        argument("cluster.name", "a/b"),
        argument("cluster.bind", "localhost"),
        argument("node.gpus", "0.0001"),
        argument("node.resources", "GPU=1"),
        argument("calls.strict", "maybe"),
        argument("logs.format", "xml"),
        variable("RAYTREE_NODE__EXECUTABLE_CACHE_BYTES", "4GB"),
        variable("RAYTREE_ADDRESS", "head"),
        refusal_of_file("cluster.port = -1\n"),
        refusal_of_file("node.cpus = nan\n"),
        refusal_of_file("cluster.port = [1]\n"),
        refusal_of_file("cluster.name = 1979-05-27\n"),
        refusal_of_file("node.resources = { a = [1] }\n"),
        refusal_of_file("node.resources = { \"a=1,b\" = 2 }\n"),
    ];
    said(
        messages,
        &expect![[r#"
        bad value 100 for liveness.beat_every: it is a duration with a unit, ns, us, ms, s, m or h: 100ms, 1.5s (from an argument)
        bad value 9ms for liveness.beat_every: it is 10ms to 10s (from an argument)
        bad value 65536 for cluster.port: it is a whole number from 0 to 65535 (from an argument)
        bad value a/b for cluster.name: a name has 1 to 128 bytes and no slash (from an argument)
        bad value localhost for cluster.bind: it is an IP address: 127.0.0.1, ::1, 0.0.0.0 (from an argument)
        bad value 0.0001 for node.gpus: it is 0 to 1000000000000, in steps of 0.001 (from an argument)
        bad value GPU=1 for node.resources: `GPU` is set by node.gpus (from an argument)
        bad value maybe for calls.strict: it is true or false (from an argument)
        bad value xml for logs.format: it is text or json (from an argument)
        bad value 4GB for node.executable_cache_bytes: it is a number of bytes with a unit, B, KiB, MiB, GiB or TiB: 64KiB, 1.5GiB (from the environment variable RAYTREE_NODE__EXECUTABLE_CACHE_BYTES)
        bad value head for cluster.address: it is a host and a port from 1 to 65535: head.example.org:7000, [fd00::1]:7000 (from the environment variable RAYTREE_ADDRESS)
        bad value -1 for cluster.port: it is a whole number from 0 to 65535 (from the file FILE)
        bad value NaN for node.cpus: it is 0 to 1000000000000, in steps of 0.001 (from the file FILE)
        bad value a list for cluster.port: it is one value (from the file FILE)
        bad value a date or time for cluster.name: no setting is one; write text (from the file FILE)
        bad value a list for node.resources.a: it is one value (from the file FILE)
        bad value a=1,b for node.resources: a name has neither comma nor equals sign (from the file FILE)
    "#]],
    );
}

#[test]
fn a_value_that_a_higher_layer_covers_is_checked_too() {
    let folder = Folder::with("a.toml", "cluster.port = 70000\n");
    let file = LoadFrom::default().file(folder.path("a.toml")).argument("cluster.port", "1");
    assert!(refusal(file).contains("70000"));
    let variable = LoadFrom::default().variable("RAYTREE_CLUSTER__PORT", "x");
    assert!(refusal(variable.argument("cluster.port", "1")).contains("RAYTREE_CLUSTER__PORT"));
}

#[test]
fn nothing_is_given_twice_in_one_layer() {
    let twice = LoadFrom::default().argument("cluster.port", "1").argument("cluster.port", "2");
    said(
        [refusal(twice)],
        &expect![[r#"
        bad value 2 for cluster.port: it is given twice, first as `1` (from an argument)
    "#]],
    );
    let both = LoadFrom::default()
        .variable("RAYTREE_ADDRESS", "a:1")
        .variable("RAYTREE_CLUSTER__ADDRESS", "b:1");
    let messages = [refusal(both), refusal_of_file("\"cluster.port\" = 1\ncluster.port = 2\n")];
    said(
        messages,
        &expect![[r#"
        bad value b:1 for cluster.address: it is given twice, first by the environment variable RAYTREE_ADDRESS (from the environment variable RAYTREE_CLUSTER__ADDRESS)
        bad value 1 for cluster.port: it is given twice, first as `2` (from the file FILE)
    "#]],
    );
}

#[test]
fn a_broken_file_says_file_and_line() {
    let messages = [
        refusal_of_file("[cluster]\nport = 1\nname = \"x\n"),
        refusal_of_file("[cluster]\nport = 1\nport = 2\n"),
        refusal_of_file("a b\n"),
        refusal_of_file(b"[cluster]\nname = \"\xff\"\n"),
        refusal_of_file(vec![b'#'; (1 << 20) + 1]),
    ];
    said(
        messages,
        &expect![[r#"
        bad value FILE for the configuration file: line 3, column 10: invalid basic string
        bad value FILE for the configuration file: line 3, column 1: duplicate key `port` in table `cluster`
        bad value FILE for the configuration file: line 1, column 3: expected `.`, `=`
        bad value FILE for the configuration file: line 2: it is not Unicode
        bad value FILE for the configuration file: it has more than 1048576 bytes
    "#]],
    );
    for deep in ["a.".repeat(100_000) + "a = 1\n", "a = ".to_owned() + &"[".repeat(100_000)] {
        assert!(refusal_of_file(deep).contains("line 1"), "depth is refused, not followed");
    }
    let folder = Folder::with("raytree.toml/x", "");
    let text = refusal(LoadFrom { folder: Some(folder.path("")), ..LoadFrom::default() });
    assert!(text.contains("raytree.toml") && text.contains("it cannot be read"), "{text}");
}

#[test]
fn what_is_not_unicode_is_refused_where_it_matters() {
    let strange = || OsString::from_vec(vec![b'/', 0xff]);
    let name = LoadFrom::default().variable("RAYTREE_CLUSTER__NAME", strange());
    let messages = [refusal(name), refusal(LoadFrom::default().variable("HOME", strange()))];
    said(
        messages,
        &expect![[r#"
        bad value /� for cluster.name: it is not Unicode (from the environment variable RAYTREE_CLUSTER__NAME)
        bad value /� for the environment variable HOME: it is not Unicode
    "#]],
    );
}

#[test]
fn silences_follow_each_other() {
    for (key, value, other) in [
        ("liveness.suspect_after", "100ms", "liveness.beat_every"),
        ("liveness.dead_after_local", "800ms", "liveness.suspect_after"),
        ("liveness.stuck_after", "800ms", "liveness.suspect_after"),
        ("liveness.dead_after_remote", "61s", "liveness.beat_every"),
        ("liveness.dead_after_remote", "1.4s", "liveness.dead_after_local"),
        ("liveness.isolation_grace", "3s", "liveness.dead_after_remote"),
    ] {
        let message = argument(key, value);
        assert!(message.contains(key) && message.contains(other), "{message}");
    }
    let from = LoadFrom::default().variable("RAYTREE_LIVENESS__BEAT_EVERY", "2s");
    said(
        [refusal(from)],
        &expect![[r#"
        bad value 2s for liveness.beat_every: it has to be at most a third of liveness.suspect_after, which is 800ms from the defaults (from the environment variable RAYTREE_LIVENESS__BEAT_EVERY)
    "#]],
    );
    let stuck = LoadFrom::default()
        .argument("liveness.suspect_after", "1.2s")
        .argument("liveness.stuck_after", "1.2s");
    assert!(refusal(stuck).contains("liveness.stuck_after"));
    let equal = LoadFrom::default().argument("liveness.dead_after_remote", "1.5s");
    assert!(Config::load(equal).is_ok());
}

#[test]
fn an_address_is_one_by_which_others_reach_it_and_certificates_have_keys() {
    let messages = [argument("cluster.bind", "0.0.0.0"), argument("cluster.tls_cert", "/c")];
    said(
        messages,
        &expect![[r#"
            bad value 0.0.0.0 for cluster.bind: others have to know by which address they reach it: say that one (from an argument)
            bad value /c for cluster.tls_cert: it needs cluster.tls_key, which is not set (from an argument)
        "#]],
    );
    assert!(argument("cluster.tls_key", "/k").contains("cluster.tls_cert"));
    let open = LoadFrom::default().argument("cluster.bind", "10.0.0.7");
    let tls = open.clone().argument("cluster.tls_cert", "/c").argument("cluster.tls_key", "/k");
    assert!(Config::load(tls).is_ok());
    // It is encrypted with what follows from the token, or by choice in the open.
    assert!(Config::load(open.clone()).is_ok());
    assert!(Config::load(open.argument("cluster.insecure", "true")).is_ok());
    assert!(argument("cluster.bind", "::").contains("cluster.bind"));
    for loopback in ["127.1.2.3", "::1", "::ffff:127.0.0.1"] {
        assert!(Config::load(LoadFrom::default().argument("cluster.bind", loopback)).is_ok());
    }
}

#[test]
fn errors_repeat_so_much_of_a_value_as_is_of_use() {
    let long = argument("cluster.name", &"x".repeat(20_000));
    assert!(long.len() < 400 && long.contains("..."), "{long}");
    assert!(!argument("cluster.name", "a\nb\u{1b}[0m").contains(char::is_control));
}
