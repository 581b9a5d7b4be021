//! Contexts: which cluster a command means, and who wins.

use std::fs;
use std::net::TcpListener;

use super::support::{of, told};

#[test]
fn a_command_means_the_cluster_of_its_context() {
    let cluster = of(a_command_means_the_cluster_of_its_context).start();
    let address = cluster.address.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = listener.local_addr().expect("a port").to_string();
    drop(listener);
    let own = cluster.folder.path().join("config/raytree");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("other.token"), "no token").expect("a file");
    let text = format!(
        "# Mine.\ncurrent = \"gone\" # for now\n\n[contexts.here]\naddress = \"{address}\"\n\n\
         [contexts.gone]\naddress = \"{gone}\"\n\n\
         [contexts.other]\naddress = \"{address}\"\ntoken_file = \"other.token\"\n"
    );
    let file = own.join("config.toml");
    fs::write(&file, &text).expect("a file");
    let with = |variable: (&str, &str), args: &[&str]| {
        told(cluster.command(args).env(variable.0, variable.1).output().expect("it runs"))
    };

    // What the file has as current.
    for command in ["status", "nodes", "tree", "doctor"] {
        let (out, err, code) = cluster.raytree(&[command]);
        assert_eq!((&*out, code), ("", 2), "{command}");
        assert!(err.contains(&gone), "{err}");
    }
    // What wins over it.
    assert_eq!(cluster.raytree(&["status", "--context", "here"]).2, 0);
    assert_eq!(cluster.raytree(&["status", "--address", &address]).2, 0);
    assert_eq!(with(("RAYTREE_CONTEXT", "here"), &["status"]).2, 0);
    assert_eq!(with(("RAYTREE_ADDRESS", &address), &["status"]).2, 0);
    assert_eq!(with(("RAYTREE_ADDRESS", &gone), &["status", "--context", "here"]).2, 0);
    assert_eq!(with(("RAYTREE_CONTEXT", "here"), &["status", "--context", "gone"]).2, 2);
    assert_eq!(cluster.raytree(&["tree", "--context", "local"]).2, 0);
    let own_pid = cluster.head.pid().to_string();
    assert_eq!(cluster.raytree(&["tree", "--pid", &own_pid]).2, 0);
    // The token goes with the address.
    let (_, err, code) = cluster.raytree(&["status", "--context", "other"]);
    assert_eq!(code, 2);
    assert!(err.contains("token"), "{err}");

    let (out, _, code) = cluster.raytree(&["context", "use", "here"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(fs::read_to_string(&file).expect("text"), text.replace("\"gone\" #", "\"here\" #"));
    assert_eq!(cluster.raytree(&["status"]).2, 0);
    let (out, _, code) = cluster.raytree(&["context", "show"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("context     here\nchosen by   `current` of the file\n"), "{out}");
    let (out, _, code) = cluster.raytree(&["context", "list", "--where", "current=yes"]);
    assert_eq!((out.lines().count(), code), (2, 0), "{out}");

    let (out, err, code) = cluster.raytree(&["context", "use", "her"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.starts_with("raytree: there is no context `her`, did you mean `here`?"), "{err}");
    let (_, err, code) = with(("RAYTREE_CONTEXT", "elsewhere"), &["tree"]);
    assert!(code == 2 && err.contains("there is no context `elsewhere`"), "{err}");
    let (_, err, code) = with(("RAYTREE_CONFIG", "not/there.toml"), &["context", "list"]);
    assert_eq!(code, 2);
    assert!(err.contains("RAYTREE_CONFIG"), "{err}");
    fs::write(&file, "current = [").expect("a file");
    let (_, err, code) = cluster.raytree(&["tree"]);
    assert!(code == 2 && err.contains("config.toml"), "{err}");
}
