//! What lies over what.

use std::path::Path;
use std::time::Duration;

use raytree_config::{Config, LoadFrom, Machine, Origin, split_argument};
use raytree_types::limits;

use crate::support::{Folder, refusal, setting};

/// For each type of value: a key, and one value for file, environment and arguments each.
const OF_EACH_TYPE: [(&str, [&str; 3]); 11] = [
    ("cluster.address", ["file:1", "environment:2", "argument:3"]),
    ("cluster.name", ["file", "environment", "argument"]),
    ("cluster.bind", ["127.0.0.2", "127.0.0.3", "::1"]),
    ("cluster.port", ["1", "2", "3"]),
    ("cluster.token_file", ["/file", "/environment", "/argument"]),
    ("cluster.insecure", ["true", "false", "true"]),
    ("liveness.beat_every", ["10ms", "20ms", "30ms"]),
    ("node.cpus", ["0.5", "2", "3.25"]),
    ("node.resources", ["file=1", "environment=2", "argument=3"]),
    ("node.executable_cache_bytes", ["1GiB", "2GiB", "3GiB"]),
    ("node.abandoned_threads_max", ["1", "2", "4"]),
];

fn variable(key: &str) -> String {
    format!("RAYTREE_{}", key.replace('.', "__").to_uppercase())
}

/// All layers in all combinations.
#[test]
fn a_higher_layer_has_the_last_word_for_values_of_every_type() {
    for (key, texts) in OF_EACH_TYPE {
        let (section, name) = key.split_once('.').unwrap();
        let folder =
            Folder::with("raytree.toml", format!("[{section}]\n{name} = \"{}\"\n", texts[0]));
        let origins = [
            Origin::File(folder.path("raytree.toml")),
            Origin::Environment(variable(key)),
            Origin::Argument,
        ];
        for given in 0..8_u8 {
            let mut from = LoadFrom::default();
            if given & 1 != 0 {
                from.folder = Some(folder.path(""));
            }
            if given & 2 != 0 {
                from = from.variable(variable(key), texts[1]);
            }
            if given & 4 != 0 {
                from = from.argument(key, texts[2]);
            }
            let config = Config::load(from).unwrap();
            let said = setting(&config, key);
            match (0..3).rev().find(|layer| given & (1 << layer) != 0) {
                Some(top) => {
                    assert_eq!((&*said.value, &said.origin), (texts[top], &origins[top]), "{key}");
                }
                None => assert_eq!((&said.value, &said.origin), (&said.default, &Origin::Default)),
            }
            let others = config.explain().into_iter().filter(|other| other.key != key);
            others.for_each(|other| assert_eq!(other.origin, Origin::Default, "{}", other.key));
        }
    }
}

#[test]
fn toml_values_may_have_their_own_types() {
    let text = "cluster = { port = 7000, insecure = true }\n[node]\ncpus = 0.1\n\
                executable_cache_bytes = 134217728\nabandoned_threads_max = 0\n\
                [node.resources]\nTPU = 4\ndisk = 0.5\n";
    let folder = Folder::with("a.toml", text);
    let config = Config::load(LoadFrom::default().file(folder.path("a.toml"))).unwrap();
    assert_eq!((config.cluster().port, config.cluster().insecure), (7000, true));
    let node = config.node();
    assert_eq!((node.executable_cache_bytes.bytes(), node.abandoned_threads_max), (128 << 20, 0));
    assert_eq!(config.node().offers().to_string(), "0.1 CPU, 4 TPU, 0.5 disk");
    assert_eq!(config.text("node.resources"), Some("TPU=4,disk=0.5"));
}

#[test]
fn a_context_lies_over_the_file_or_over_the_environment() {
    let folder = Folder::with("named.toml", "cluster.address = \"file:1\"");
    let with = |over_environment| {
        let settings = [("cluster.address", "lab:2"), ("cluster.token_file", "lab.token")];
        let settings = settings.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
        let context = raytree_config::ContextSettings {
            name: "lab".to_owned(),
            folder: Some("/c".into()),
            settings,
            over_environment,
        };
        let from = LoadFrom::default().file(folder.path("named.toml"));
        LoadFrom { context: Some(context), ..from }
    };
    let address = |from: LoadFrom| {
        let config = Config::load(from).unwrap();
        let origin = config.origin("cluster.address").cloned().unwrap();
        (config.text("cluster.address").unwrap().to_owned(), origin.to_string())
    };
    let said = |address: &str, origin: &str| (address.to_owned(), origin.to_owned());
    assert_eq!(address(with(false)), said("lab:2", "the context lab"));
    let token = Config::load(with(false)).unwrap().cluster().token_file.clone();
    assert_eq!(token, Some("/c/lab.token".into()), "relative to its own folder");
    let variable = |from: LoadFrom| from.variable("RAYTREE_ADDRESS", "variable:3");
    let below = address(variable(with(false)));
    assert_eq!(below, said("variable:3", "the environment variable RAYTREE_ADDRESS"));
    assert_eq!(address(variable(with(true))), said("lab:2", "the context lab"));
    let argument = with(true).argument("cluster.address", "argument:4");
    assert_eq!(address(argument), said("argument:4", "an argument"));
}

#[test]
fn the_file_is_the_named_one_or_that_of_the_folder_or_the_users_own() {
    let folder = Folder::with("named.toml", "cluster.port = 1");
    folder.write("here/raytree.toml", "cluster.port = 2");
    folder.write("config/raytree/config.toml", "cluster.port = 3");
    folder.write("home/.config/raytree/config.toml", "cluster.port = 4");
    let port = |from: LoadFrom| Config::load(from).unwrap().cluster().port;

    let home = LoadFrom::default().variable("HOME", folder.path("home"));
    assert_eq!(port(home.clone()), 4);
    let user = home.variable("XDG_CONFIG_HOME", folder.path("config"));
    assert_eq!(port(user.clone()), 3);
    let here = LoadFrom { folder: Some(folder.path("here")), ..user };
    assert_eq!(port(here.clone()), 2);
    assert_eq!(port(here.clone().file(folder.path("named.toml"))), 1);
    let elsewhere = LoadFrom { folder: Some(folder.path("")), ..here.clone() };
    assert_eq!(port(elsewhere), 3, "a folder without a file leaves the user's own");
    assert_eq!(port(LoadFrom::default()), 0);

    folder.write("own.toml", "current = 'a'\ncluster.port = 5\n[contexts.a]\naddress = 'a:1'");
    let own = |file: &str| here.clone().variable("RAYTREE_CONFIG", folder.path(file));
    let alone = |file: &str| LoadFrom { folder: None, ..own(file) };
    assert_eq!(port(alone("own.toml")), 5, "contexts are no settings");
    assert_eq!(
        port(own("own.toml")),
        2,
        "it is the user's own, and that of the folder comes first"
    );
    let missing = refusal(alone("missing.toml"));
    assert!(missing.contains("RAYTREE_CONFIG names it"), "{missing}");
    folder.write("here/raytree.toml", "current = 'a'");
    assert!(refusal(here.clone()).contains("current"), "contexts are the user's own");

    let missing = refusal(here.file(folder.path("missing.toml")));
    assert!(missing.contains("missing.toml") && missing.contains("no such file"), "{missing}");
}

#[test]
fn short_names_mean_what_they_always_meant() {
    let load =
        |name: &str, value: &str| Config::load(LoadFrom::default().variable(name, value)).unwrap();
    let strict = |value: &str| load("RAYTREE_STRICT", value).calls().strict;
    assert_eq!(["1", "0", "true", ""].map(strict), [true, false, false, false]);
    let inspected = |value: &str| load("RAYTREE_INSPECTOR", value).inspector().enabled;
    assert_eq!(
        ["off", "No", " 0", "on", "", "x"].map(inspected),
        [false, false, false, true, true, true]
    );
    let folder = load("RAYTREE_INSPECT_DIR", "/a").inspector().folder.clone();
    assert_eq!(folder.as_deref(), Some(Path::new("/a")));
    let address = load("RAYTREE_ADDRESS", "head:7000").cluster().address.clone().unwrap();
    assert_eq!((address.host(), address.port()), ("head", 7000));
    assert!(load("RAYTREE_CALLS__STRICT", "yes").calls().strict, "the long name takes all words");
}

#[test]
fn an_inspector_that_the_environment_switched_off_stays_off() {
    let from = LoadFrom::default().argument("inspector.enabled", "true");
    let off = Config::load(from.clone().variable("RAYTREE_INSPECTOR", "off")).unwrap();
    assert!(!off.inspector().enabled);
    let origin = Origin::Environment("RAYTREE_INSPECTOR".to_owned());
    assert_eq!(off.origin("inspector.enabled"), Some(&origin));
    let on = Config::load(from.variable("RAYTREE_INSPECTOR__ENABLED", "off")).unwrap();
    assert!(on.inspector().enabled, "the long name is a layer like any other");
}

#[test]
fn empty_variables_do_not_count_and_empty_arguments_take_back() {
    let folder = Folder::with("a.toml", "cluster.address = \"head:1\"\nnode.resources.a = 1\n");
    let from = LoadFrom::default().file(folder.path("a.toml"));
    let kept = Config::load(from.clone().variable("RAYTREE_ADDRESS", "")).unwrap();
    assert_eq!(kept.text("cluster.address"), Some("head:1"));
    let back = from.argument("cluster.address", "").argument("node.resources", "");
    let back = Config::load(back).unwrap();
    assert!(back.cluster().address.is_none() && back.node().resources.is_empty());
    assert_eq!(back.origin("cluster.address"), Some(&Origin::Argument));
    let port = refusal(LoadFrom::default().argument("cluster.port", ""));
    assert!(port.contains("cluster.port") && port.contains("whole number"), "{port}");
}

#[test]
fn paths_are_those_of_their_layer() {
    let folder =
        Folder::with("etc/a.toml", "cluster.token_file = \"token\"\nnode.cache_dir = \"~/c\"\n");
    let from = LoadFrom::default().file(folder.path("etc/a.toml")).variable("HOME", "/h");
    let config = Config::load(from.argument("inspector.folder", "sockets")).unwrap();
    assert_eq!(config.cluster().token_file, Some(folder.path("etc/token")));
    assert_eq!(config.node().cache_dir, Some("/h/c".into()));
    assert_eq!(config.inspector().folder, Some("sockets".into()), "the working folder's");
    let homeless = refusal(LoadFrom::default().argument("node.cache_dir", "~/c"));
    assert!(homeless.contains("node.cache_dir") && homeless.contains("$HOME"), "{homeless}");
}

#[test]
fn defaults_know_machine_and_user() {
    let machine = Machine { host: "big".to_owned(), process: 42, cpus: 6, memory: 10 << 30 };
    let from = LoadFrom { machine, ..LoadFrom::default() }
        .variable("HOME", "/h")
        .variable("XDG_RUNTIME_DIR", "/r");
    let config = Config::load(from).unwrap();
    assert_eq!((&*config.cluster().name, config.node().cpus.thousandths()), ("big-42", 6000));
    assert_eq!(config.node().object_store_bytes.bytes(), 3 << 30);
    assert_eq!(config.cluster().token_file, Some("/h/.config/raytree/token".into()));
    assert_eq!(config.node().cache_dir, Some("/h/.cache/raytree".into()));
    assert_eq!(config.inspector().folder, Some("/r/raytree".into()));
    assert_eq!(config.liveness().isolation_grace, Duration::from_secs(60));
}

#[test]
fn a_store_is_three_tenths_of_the_memory_within_bounds() {
    let default = |memory| {
        let machine = Machine { memory, ..Machine::default() };
        let config = Config::load(LoadFrom { machine, ..LoadFrom::default() }).unwrap();
        config.node().object_store_bytes.bytes()
    };
    assert_eq!(default(0), 512 << 20, "it is not known how much there is");
    assert_eq!(default(100 << 20), limits::STORE_DEFAULT_MIN);
    assert_eq!(default(1000 << 20), 300 << 20);
    let largest = default(1 << 50);
    assert_eq!(largest, limits::STORE_DEFAULT_MAX.next_multiple_of(1 << 20));
}

#[test]
fn this_process_gives_what_matters_and_no_more() {
    let from = LoadFrom::process();
    assert!(from.machine.process > 0 && from.machine.cpus > 0 && !from.machine.host.is_empty());
    assert!(from.folder.is_some() && from.arguments.is_empty());
    assert!(from.environment.iter().all(|(name, _)| name != "PATH"));
    let alone = LoadFrom { folder: None, environment: Vec::new(), ..from };
    let config = Config::load(alone).unwrap();
    assert!(config.cluster().name.ends_with(&std::process::id().to_string()));
}

#[test]
fn an_argument_is_a_name_and_a_value() {
    let split = split_argument("node.resources=a=1").unwrap();
    assert_eq!(split, ("node.resources".to_owned(), "a=1".to_owned()));
    assert_eq!(split_argument("cluster.address=").unwrap().1, "");
    assert!(split_argument("cluster.port").unwrap_err().to_string().contains("cluster.port=1"));
}
