//! Which context counts, what the file may say, and what writing leaves as it is.

use expect_test::expect;

use super::choose::{By, choose};
use super::file::Context;
use super::*;

const FILE: &str = "\
# My clusters.
current = \"lab\" # for now

[contexts.lab]
# The big one.
address = \"lab.example.org:6380\"

[contexts.\"day job\"]
address = \"job.example.org:1\"
token_file = \"job.token\"

[cluster]
port = 7000
";

fn contexts(text: &str) -> Contexts {
    Contexts::parse("/c/config.toml".into(), text).expect("contexts")
}

fn wrong(text: &str) -> String {
    Contexts::parse("/c/config.toml".into(), text).expect_err("it is wrong").to_string()
}

#[test]
fn who_wins() {
    let all = contexts(FILE);
    let chosen = |argument, has_address, variable| {
        let chosen = choose(&all, argument, has_address, variable).expect("one that is there");
        (chosen.name().map(str::to_owned), chosen.by())
    };
    let (lab, job) = (Some("lab".to_owned()), Some("day job".to_owned()));
    let local = || Some(LOCAL.to_owned());
    assert_eq!(chosen(None, false, None), (lab, Some(By::Current)));
    assert_eq!(chosen(None, false, Some("day job")), (job.clone(), Some(By::Variable)));
    assert_eq!(chosen(None, true, Some("day job")), (None, None), "the environment's address");
    assert_eq!(chosen(None, true, None), (None, None));
    assert_eq!(chosen(Some("day job"), true, Some("lab")), (job, Some(By::Argument)));
    assert_eq!(chosen(Some("local"), true, None), (local(), Some(By::Argument)));
    assert_eq!(chosen(None, false, Some("local")), (local(), Some(By::Variable)));
    assert_eq!(choose(&contexts(""), None, false, None), Ok(Chosen::Nothing));
}

#[test]
fn a_context_counts_as_a_whole() {
    let all = contexts(FILE);
    let settings = |argument: &str| {
        let chosen = choose(&all, Some(argument), false, None).expect("one that is there");
        chosen.into_settings().expect("settings")
    };
    let job = settings("day job");
    assert_eq!((&*job.name, job.folder), ("day job", Some("/c".into())));
    let own = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    let expected =
        [own("cluster.address", "job.example.org:1"), own("cluster.token_file", "job.token")];
    assert_eq!(job.settings, expected);
    assert!(job.over_environment);
    assert_eq!(settings("local").settings, [own("cluster.address", "")]);
    let current = choose(&all, None, false, None).expect("lab").into_settings();
    assert!(current.is_some_and(|settings| !settings.over_environment));
}

#[test]
fn one_that_is_not_there_is_told_with_what_may_be_meant() {
    let all = contexts(FILE);
    let unknown = |name| choose(&all, Some(name), false, None).expect_err("unknown").to_string();
    assert_eq!(
        unknown("lap"),
        "there is no context `lap`, did you mean `lab`?: there are day job, lab, local (in /c/config.toml)"
    );
    assert_eq!(
        unknown("x"),
        "there is no context `x`: there are day job, lab, local (in /c/config.toml)"
    );
    let stale = contexts("current = \"gone\"\n");
    choose(&stale, None, false, None).expect_err("what the file names has to be there");
    choose(&stale, None, true, None).expect("it does not count");
    let none = Contexts::default();
    let why = none.find("lab").expect_err("there is none").to_string();
    assert_eq!(why, "there is no context `lab`: there are local (no file is known)");
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    for (text, why) in [
        ("current = 1", "current: it is the name of a context"),
        ("contexts = 1", "contexts: each context is a table: [contexts.NAME]"),
        ("contexts.a = 1", "contexts.a: each context is a table: [contexts.NAME]"),
        ("[contexts.a]", "contexts.a.address: it is missing: where the head listens, HOST:PORT"),
        ("[contexts.a]\naddress = 1", "contexts.a.address: it is text, and not empty"),
        (
            "[contexts.a]\nadress = \"a:1\"",
            "contexts.a.adress: there is no such entry, did you mean `address`?: there are address and token_file",
        ),
        (
            "[contexts.local]\naddress = \"a:1\"",
            "contexts.local: this name means what runs on this machine",
        ),
    ] {
        assert_eq!(wrong(text), format!("/c/config.toml: {why}"));
    }
    assert!(wrong("a = 1\n[[").starts_with("/c/config.toml: line 2: "), "{}", wrong("a = 1\n[["));
}

#[test]
fn writing_leaves_everything_else_as_it_is() {
    let all = contexts(FILE);
    assert_eq!(all.with_current("day job"), FILE.replace("\"lab\" #", "\"day job\" #"));
    let none = "# Mine.\n\n[contexts.a] # one\naddress = \"a:1\"\n";
    expect![[r#"
        current = "a"
        # Mine.

        [contexts.a] # one
        address = "a:1"
    "#]]
    .assert_eq(&contexts(none).with_current("a"));
    assert_eq!(contexts("").with_current("local"), "current = \"local\"\n");
    let again = contexts(&all.with_current("local"));
    assert_eq!((again.current.as_deref(), again.all), (Some("local"), all.all));
}

#[test]
fn the_file_is_replaced_as_a_whole_with_its_permissions_and_a_link_stays_one() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("real.toml"), folder.path().join("config.toml"));
    fs::write(&path, FILE).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
    symlink(&path, &link).expect("a link");
    let all = Contexts::parse(link.clone(), FILE).expect("contexts");
    let real = all.uses("day job").expect("it is written");
    assert_eq!(real, fs::canonicalize(&path).expect("it is there"));
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777, 0o640);
    let text = fs::read_to_string(&path).expect("text");
    assert_eq!(text, FILE.replace("\"lab\" #", "\"day job\" #"));
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 2, "nothing is left beside it");
    // Where it cannot be written, it stays.
    let nowhere = Contexts::parse("/proc/none/config.toml".into(), FILE).expect("contexts");
    assert!(matches!(nowhere.uses("lab"), Err(ContextError::Unwritable { .. })));
    assert_eq!(Contexts::default().uses("lab"), Err(ContextError::NoFile));
}

#[test]
fn a_list_has_the_local_one_too() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let style = Style { columns: 100, lines: false, colour: false };
    let all = contexts(FILE);
    list(&rows(&all), 0, &View::default(), ("none", style), &mut out, &mut err).expect("memory");
    expect![[r#"
        CONTEXT  CURRENT  ADDRESS               TOKEN_FILE
        day job  -        job.example.org:1     job.token
        lab      yes      lab.example.org:6380  -
        local    -        -                     -
    "#]]
    .assert_eq(&String::from_utf8(out).expect("text"));
    let lab = Context { address: "lab.example.org:6380".to_owned(), token_file: None };
    assert_eq!(all.find("lab"), Ok(Some(&lab)));
}
