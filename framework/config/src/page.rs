//! The page `docs/configuration.md`: the table, as people read it.

use expect_test::expect_file;

use crate::environment::OTHERS;
use crate::load::LoadFrom;
use crate::settings::{SECTIONS, TABLE};
use crate::table::Entry;
use crate::{Config, Origin};

const INTRODUCTION: &str = "\
# Configuration

Every setting has a default. Over the defaults lie, each over the one before: the **file**, the **environment**, the
**arguments**. Whatever is given is checked in every layer, also where a higher layer has the last word: a name that does
not exist is refused with the nearest one that does, a value with what it may be and where it was found.

- **File:** the one that was named, which has to exist; else `raytree.toml` in the working folder; else
  the user's own, `$RAYTREE_CONFIG` or else `raytree/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. It is TOML, with a
  table for each section. Relative paths in it are relative to its folder.
- **Contexts:** clusters under names, for the `raytree` command alone: `current` and `[contexts.NAME]` of the user's own file. Which
  cluster a command means is the first of `--address`, `--context`, `RAYTREE_ADDRESS`, `RAYTREE_CONTEXT`, `current`, and
  `cluster.address` of the settings. The token of a context counts with its address, or not at all.
- **Environment:** `RAYTREE_CLUSTER__PORT=7000` sets `cluster.port`: capitals, and two underscores for the dot. A few
  settings have short names beside that. Empty variables do not count.
- **Arguments:** `cluster.port=7000`. An empty value takes back what a lower layer gave, where *none* is a value.

Durations have a unit, `100ms`, `1.5s`, `2m`, `24h`; amounts of bytes are counted in powers of 1024, `64KiB`, `4GiB`, and
without a unit in bytes. Switches are `true` or `false`, also `on` or `off`, `yes` or `no`, `1` or `0`. A path may begin
with `~/`. Ranges include both their ends.

A program's own runtime reads them, too, and what it says in words of its own (`init().cpus(2.0)`) wins. It is used with a
cluster by `RAYTREE_ADDRESS` or `init().address(..)` alone, whatever `cluster.address` says. Of the rest it follows `node.cpus`,
`node.gpus`, `node.resources`, `node.abandoned_threads_max`, `calls` and `inspector`; nodes that it starts itself are judged by
the default times. `raytree config` shows what counts here.

```toml
";

const EXAMPLE: &str = "\
[cluster]
address = \"head.example.org:7000\"

[liveness]
beat_every = \"50ms\"

[node]
cpus = 3.5
resources = { special_hardware = 4, disk = 0.5 }
";

#[test]
fn the_page_of_settings_is_the_table() {
    let mut page = format!("{INTRODUCTION}{EXAMPLE}```\n");
    for (section, about) in SECTIONS {
        page += &format!("\n## `{section}`\n\n{}\n", about.trim());
        let start = format!("{section}.");
        for entry in TABLE.iter().filter(|entry| entry.key.starts_with(&start)) {
            page += &row(entry);
        }
    }
    page += "\n## Variables that are not settings\n\nAll other variables that begin with `RAYTREE_` are refused.\n\n";
    for other in OTHERS {
        page += &format!("- `{}`: {}\n", other.name, other.purpose);
    }
    expect_file!["../../../docs/configuration.md"].assert_eq(&page);
}

fn row(entry: &Entry) -> String {
    let default = match entry.default {
        "" => "none".to_owned(),
        words if entry.found.is_some() => words.to_owned(),
        text => format!("`{text}`"),
    };
    let short = match entry.short {
        Some(short) if short.variable == "RAYTREE_STRICT" => {
            format!(", or `{}`, where only `1` is on", short.variable)
        }
        Some(short) if short.variable == "RAYTREE_INSPECTOR" => {
            format!(", or `{}`, where all but `off`, `0`, `false` and `no` is on", short.variable)
        }
        Some(short) => format!(", or `{}`", short.variable),
        None => String::new(),
    };
    format!(
        "\n### `{}`\n\n{}\n\n- Default: {default}\n- Unit: {}\n- Range: {}\n- Environment: `{}`{short}\n",
        entry.key,
        entry.meaning(),
        entry.unit,
        entry.range,
        entry.variable(),
    )
}

#[test]
fn the_example_of_the_page_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raytree.toml");
    std::fs::write(&path, EXAMPLE).unwrap();
    let config = Config::load(LoadFrom::default().file(&path)).unwrap();
    assert_eq!(config.node().offers().to_string(), "3.5 CPU, 0.5 disk, 4 special_hardware");
    let given = config.explain().into_iter().filter(|setting| setting.origin != Origin::Default);
    assert_eq!(given.count(), 4);
}
