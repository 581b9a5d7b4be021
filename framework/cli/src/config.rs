//! The settings of this machine and folder, and where each comes from.

use std::io::{self, Write};
use std::path::PathBuf;

use raytree_config::{Config, LoadFrom, Setting, split_argument};
use serde::Serialize;

use crate::Code;
use crate::args::ConfigArgs;
use crate::context::{Chosen, ConfigError, chosen};
use crate::explain::{COLUMNS_MAX, wrap};
use crate::json;
use crate::text::cut;
use crate::tree::Style;

/// Prints all settings, one a line, or all there is to say of one.
///
/// # Errors
/// `out` or `err` cannot be written; the caller knows whether that matters.
pub fn config(
    args: &ConfigArgs,
    from: LoadFrom,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let (settings, context) = match load(args, from) {
        Ok(loaded) => loaded,
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(Code::Nothing);
        }
    };
    let context = match &args.key {
        Some(key) if key != "context" => None,
        _ => Some(context),
    };
    let asked: Vec<_> = match &args.key {
        None => settings.iter().collect(),
        Some(key) => settings.iter().filter(|setting| is_in(setting.key, key)).collect(),
    };
    if asked.is_empty() && context.is_none() {
        let key = args.key.as_deref().unwrap_or_default();
        writeln!(
            err,
            "raytree: there is no setting `{key}`: `raytree config` lists those there are"
        )?;
        return Ok(Code::Nothing);
    }
    if args.json {
        let entries =
            context.iter().map(Entry::Context).chain(asked.into_iter().map(Entry::Setting));
        json::write("settings", &entries.collect::<Vec<_>>(), out)?;
    } else if let ([one], Some(_)) = (asked.as_slice(), &args.key) {
        whole(one, style, out)?;
    } else {
        table(context.as_ref(), &asked, style, out)?;
    }
    Ok(Code::Good)
}

/// Which context counts, and who says so.
#[derive(Debug, Serialize)]
struct InUse {
    /// Always `context`.
    key: &'static str,
    /// Its name; empty for none.
    value: String,
    /// Who has chosen it; empty for none.
    origin: String,
}

/// A row.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Context(&'a InUse),
    Setting(&'a Setting),
}

fn load(args: &ConfigArgs, mut from: LoadFrom) -> Result<(Vec<Setting>, InUse), ConfigError> {
    let chosen = match (&args.file, &args.context) {
        // From this file and from no other: what the user's own says does not count.
        (Some(_), None) => Chosen::Nothing,
        (_, context) => chosen(&from, context.as_deref())?,
    };
    let value = chosen.name().unwrap_or_default().to_owned();
    let origin = match (chosen.by(), &chosen) {
        (Some(by), _) => by.to_string(),
        (None, Chosen::Address) => "an address of the environment wins".to_owned(),
        (None, _) => "no context is in use".to_owned(),
    };
    from.context = chosen.into_settings();
    from.file = args.file.clone().map(PathBuf::from).or(from.file);
    for argument in &args.set {
        from.arguments.push(split_argument(argument)?);
    }
    Ok((Config::load(from)?.explain(), InUse { key: "context", value, origin }))
}

/// `cluster.port` is that setting, `cluster` all of that section.
fn is_in(key: &str, asked: &str) -> bool {
    key.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn table(
    context: Option<&InUse>,
    settings: &[&Setting],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let value = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let context = context.map(|one| [one.key.to_owned(), value(&one.value), one.origin.clone()]);
    let settings = settings.iter().map(|one| {
        let origin = one.origin.to_string();
        [one.key.to_owned(), value(&one.value), origin]
    });
    let rows = context.into_iter().chain(settings).collect();
    crate::table::table(["SETTING", "VALUE", "FROM"], rows, style, out)
}

fn whole(setting: &Setting, style: Style, out: &mut impl Write) -> io::Result<()> {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    writeln!(out, "{} = {}\n", setting.key, or_none(&setting.value))?;
    wrap(setting.meaning, style.columns.min(COLUMNS_MAX), out)?;
    let short = setting.short_variable.map(|name| format!(", {name}")).unwrap_or_default();
    let rows = [
        ("from", setting.origin.to_string()),
        ("default", or_none(&setting.default)),
        ("unit", or_none(setting.unit)),
        ("range", or_none(setting.range)),
        ("variable", format!("{}{short}", setting.variable)),
    ];
    writeln!(out)?;
    for (name, text) in rows {
        writeln!(out, "{}", cut(&format!("{name:<9} {text}"), style.columns))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn told(args: &ConfigArgs, from: LoadFrom) -> String {
        let style = Style { columns: 80, lines: false, colour: false };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = config(args, from, style, &mut out, &mut err).expect("memory");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        format!("{}{}code {}\n", text(out), text(err), code as u8)
    }

    fn one(key: &str) -> ConfigArgs {
        ConfigArgs { key: Some(key.to_owned()), ..ConfigArgs::default() }
    }

    #[track_caller]
    fn check(args: &ConfigArgs, from: LoadFrom, expected: Expect) {
        expected.assert_eq(&told(args, from));
    }

    #[test]
    fn a_section_is_a_table_with_where_each_comes_from() {
        let from = LoadFrom::default().variable("RAYTREE_LIVENESS__STUCK_AFTER", "8s");
        let args =
            ConfigArgs { set: vec!["liveness.suspect_after=1200ms".to_owned()], ..one("liveness") };
        check(
            &args,
            from,
            expect![[r#"
            SETTING                     VALUE  FROM
            liveness.beat_every         100ms  the defaults
            liveness.suspect_after      1.2s   an argument
            liveness.dead_after_local   1.5s   the defaults
            liveness.dead_after_remote  3s     the defaults
            liveness.stuck_after        8s     the environment variable RAYTREE_LIVENESS__S…
            liveness.isolation_grace    1m     the defaults
            code 0
        "#]],
        );
    }

    #[test]
    fn one_setting_is_told_whole() {
        check(
            &one("cluster.port"),
            LoadFrom::default(),
            expect![[r#"
            cluster.port = 0

            The port to listen on; 0 lets the operating system choose a free one.

            from      the defaults
            default   0
            unit      port
            range     0 to 65535
            variable  RAYTREE_CLUSTER__PORT
            code 0
        "#]],
        );
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        check(
            &one("cluster.prot"),
            LoadFrom::default(),
            expect![[r#"
            raytree: there is no setting `cluster.prot`: `raytree config` lists those there are
            code 2
        "#]],
        );
        let bad = ConfigArgs { set: vec!["cluster.prot=1".to_owned()], ..ConfigArgs::default() };
        check(
            &bad,
            LoadFrom::default(),
            expect![[r#"
            raytree: bad value cluster.prot for the name of a setting: there is no such setting: did you mean cluster.port? (from an argument)
            code 2
        "#]],
        );
        let bad =
            ConfigArgs { set: vec!["cluster.port=70000".to_owned()], ..ConfigArgs::default() };
        check(
            &bad,
            LoadFrom::default(),
            expect![[r#"
            raytree: bad value 70000 for cluster.port: it is a whole number from 0 to 65535 (from an argument)
            code 2
        "#]],
        );
    }

    #[test]
    fn where_a_context_counts_it_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        let text =
            "current = 'lab'\n[contexts.lab]\naddress = 'lab.example.org:1'\ntoken_file = '/lab'\n";
        std::fs::write(&path, text).expect("a file");
        let from = || LoadFrom::default().variable("RAYTREE_CONFIG", &path);
        let all = |args: &ConfigArgs, from| {
            let text = told(args, from);
            let rows = text.lines().filter(|row| {
                ["context", "cluster.address", "cluster.token_file"]
                    .iter()
                    .any(|key| row.starts_with(key))
            });
            let words = rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
            words.collect::<Vec<_>>()
        };
        let args = ConfigArgs::default();
        let current = [
            "context lab `current` of the file",
            "cluster.address lab.example.org:1 the context lab",
            "cluster.token_file /lab the context lab",
        ];
        assert_eq!(all(&args, from()), current);
        let elsewhere = from().variable("RAYTREE_ADDRESS", "job:1");
        let address = [
            "context - an address of the environment wins",
            "cluster.address job:1 the environment variable RAYTREE_ADDRESS",
            "cluster.token_file - the defaults",
        ];
        assert_eq!(all(&args, elsewhere.clone()), address);
        let named = ConfigArgs { context: Some("lab".to_owned()), ..ConfigArgs::default() };
        assert_eq!(all(&named, elsewhere)[1], "cluster.address lab.example.org:1 the context lab");
        let local = from().variable("RAYTREE_CONTEXT", "local");
        assert_eq!(
            all(&args, local)[..2],
            ["context local RAYTREE_CONTEXT", "cluster.address - the context local"]
        );
        check(
            &one("context"),
            from(),
            expect![[r#"
            SETTING  VALUE  FROM
            context  lab    `current` of the file
            code 0
        "#]],
        );
        let unknown = ConfigArgs { context: Some("lap".to_owned()), ..ConfigArgs::default() };
        assert!(
            told(&unknown, from())
                .starts_with("raytree: there is no context `lap`, did you mean `lab`?")
        );
    }

    #[test]
    fn everything_is_there_as_json_too() {
        let all = ConfigArgs { json: true, ..ConfigArgs::default() };
        let text = told(&all, LoadFrom::default());
        let json = text.strip_suffix("code 0\n").expect("good");
        let all: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(all["version"], 1);
        let settings = all["settings"].as_array().expect("a list");
        let lines = told(&ConfigArgs::default(), LoadFrom::default());
        assert_eq!(settings.len() + 2, lines.lines().count());
        assert_eq!(settings[0]["key"], "context");
        assert!(
            settings[1..].iter().all(|one| one["key"].is_string() && one["origin"] == "default")
        );
    }
}
