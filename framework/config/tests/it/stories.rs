//! Any configuration, explained and loaded again, is the same; and no input is too strange.

use proptest::prelude::*;
use raytree_config::{Config, LoadFrom, Machine, Origin};
use raytree_types::codec::{self, Codec};

use crate::support::Folder;

/// Keys with values that fit and go together, whichever of them are chosen.
fn fitting() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let texts = |key: &'static str, text: BoxedStrategy<String>| {
        proptest::option::of(text).prop_map(move |text| text.map(|text| (key, text))).boxed()
    };
    let numbers = |low: u64, high: u64, unit: &'static str| {
        (low..=high).prop_map(move |number| format!("{number}{unit}")).boxed()
    };
    let words = |pattern: &'static str| pattern.prop_map(|text| text).boxed();
    let settings = vec![
        texts("cluster.address", words("([a-z]{1,9}(\\.[a-z]{1,9})?:[1-9][0-9]{0,3})?")),
        texts("cluster.name", words("[a-zA-Z0-9äß=.,_-]{1,30}")),
        texts("cluster.port", numbers(0, 65_535, "")),
        texts("cluster.token_file", words("/[a-z ~=äß]{0,20}")),
        texts("cluster.insecure", words("(true|false|on|off|yes|no|0|1)")),
        texts("liveness.beat_every", numbers(50_000, 266_000, "us")),
        texts("liveness.suspect_after", numbers(801, 1490, "ms")),
        texts("liveness.dead_after_remote", numbers(2, 30, "s")),
        texts("liveness.stuck_after", numbers(1, 10, "m")),
        texts("liveness.isolation_grace", numbers(1, 24, "h")),
        texts("node.cpus", words("[0-9]{1,6}(\\.[0-9]{1,3})?")),
        texts("node.resources", words("([a-b]{9}=[0-9]{1,4}\\.[0-9]{1,3},[c-z]{1,9}=[0-9]{1,9})?")),
        texts("node.object_store_bytes", numbers(0, 1 << 44, "B")),
        texts("node.spill_at", words("0\\.[1-9]")),
        texts(
            "node.spill_folders",
            words("(/[a-z]{1,9}(:/[a-z]{1,9}){0,3}(:s3://[a-z]{1,9}(/[a-z]{1,9})?){0,2})?"),
        ),
        texts("node.spill_bytes", numbers(0, 1 << 44, "B")),
        texts("node.executable_cache_bytes", numbers(64 << 20, 1 << 44, "B")),
        texts("node.abandoned_threads_max", numbers(0, 512, "")),
        texts("calls.strict", words("(true|false)")),
    ];
    settings.prop_map(|all| all.into_iter().flatten().collect())
}

fn arguments<'a>(pairs: impl IntoIterator<Item = &'a (&'static str, String)>) -> LoadFrom {
    pairs.into_iter().fold(LoadFrom::default(), |from, (key, text)| from.argument(*key, text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_explained_loads_as_the_same_on_any_machine(given in fitting(), process in any::<u32>()) {
        let machine = Machine { host: "häuser/1".to_owned(), process, cpus: 3, memory: 1 << 33 };
        let from = LoadFrom { machine, ..arguments(&given) }.variable("HOME", "/h");
        let config = Config::load(from).unwrap();
        let told = config.explain().into_iter().map(|setting| (setting.key.to_owned(), setting.value));
        let told: Vec<_> = told.collect();
        prop_assert_eq!(&told, &config.arguments());
        let again = Config::load(LoadFrom { arguments: told, ..LoadFrom::default() }).unwrap();
        prop_assert_eq!(&again, &config);
        prop_assert_eq!(again.liveness(), config.liveness());
        prop_assert_eq!(again.node(), config.node());
        prop_assert!(again.explain().iter().all(|setting| setting.origin == Origin::Argument));
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Config>(&json).unwrap(), &config);
        prop_assert_eq!(&codec::round_trip(Codec::default(), &config).unwrap(), &config);
    }

    /// The same settings, given by whatever layer, are the same configuration.
    #[test]
    fn a_layer_is_as_good_as_another(given in fitting(), layers in any::<u64>()) {
        let expected = Config::load(arguments(&given)).unwrap();
        let mut text = String::new();
        let mut from = LoadFrom::default();
        for (number, (key, value)) in given.iter().enumerate() {
            let layer = (layers >> (2 * number)) & 3;
            let variable = format!("RAYTREE_{}", key.replace('.', "__").to_uppercase());
            from = match layer {
                0 | 1 => {
                    let (section, name) = key.split_once('.').unwrap();
                    text += &format!("{section}.{name} = '{value}'\n");
                    from
                }
                2 => from.variable(variable, value),
                _ => from.argument(*key, value),
            };
        }
        let folder = Folder::with("a.toml", text);
        prop_assert_eq!(Config::load(from.file(folder.path("a.toml"))).unwrap(), expected);
    }

    #[test]
    fn no_input_is_too_strange(
        file in "(\\PC|\n|\\[|=|\"|cluster|port|node\\.){0,60}",
        name in "(RAYTREE_)?[A-Z_]{0,20}",
        key in "(cluster|node|\\PC|\\.|port){0,5}",
        value in "\\PC{0,20}",
    ) {
        let folder = Folder::with("a.toml", file);
        _ = Config::load(LoadFrom::default().file(folder.path("a.toml")));
        _ = Config::load(LoadFrom::default().variable(name, &*value));
        _ = Config::load(LoadFrom::default().argument(key, &*value));
        _ = Config::load(LoadFrom::default().argument("cluster.address", &*value));
    }
}

#[test]
fn a_configuration_that_was_sent_is_checked_by_who_receives_it() {
    let config = Config::load(LoadFrom::default()).unwrap();
    let mut json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["liveness.beat_every"], "100ms");
    json["liveness.beat_every"] = "1h".into();
    let error = serde_json::from_value::<Config>(json.clone()).unwrap_err().to_string();
    assert!(error.contains("10ms to 10s"), "{error}");
    json.as_object_mut().unwrap().remove("liveness.beat_every");
    let error = serde_json::from_value::<Config>(json).unwrap_err().to_string();
    assert!(error.contains("liveness.beat_every") && error.contains("no value"), "{error}");
}
