//! The dashboard in a real browser: every view of a cluster that runs, as a person sees it at a desk and on a phone.
//!
//! `cargo nextest run -p raytree-cli --test it clusters::browser --run-ignored all` runs these. What was seen is kept in the
//! folder that `RAYTREE_SCREENSHOTS` names.

mod chromium;
mod page;
mod scene;

use chromium::Chromium;
use page::{LOOKS, Page};
use scene::Scene;
use serde_json::{Value, json};

use super::support::{of, until};

/// All views, by their names in the address and in the page.
const VIEWS: [(&str, &str); 11] = [
    ("cluster", "Cluster"),
    ("nodes", "Nodes"),
    ("tree", "Tree"),
    ("actors", "Actors"),
    ("tasks", "Tasks"),
    ("objects", "Objects"),
    ("jobs", "Jobs"),
    ("events", "Events"),
    ("logs", "Logs"),
    ("waits", "Waits"),
    ("timeline", "Timeline"),
];

/// What has to be found in the page, and is not the same in each run.
fn facts(scene: &Scene) -> Value {
    let (head, node) = (scene.cluster.head.pid(), scene.cluster.nodes[0].pid());
    let program = std::env::current_exe().expect("a path");
    let program = program.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let pids = [head, node, scene.writer, std::process::id()];
    json!({ "pids": pids, "program": program, "line": Scene::LINE })
}

fn opens(page: &mut Page, view: &str, title: &str) {
    page.clicks(&format!("nav a[href='#/{view}']"), title);
    let is_open = format!("document.title === '{title} · raytree' && one('nav a.here', '{title}')");
    page.until(&format!("the view {view}"), &is_open);
}

#[test]
#[ignore = "needs Chromium"]
fn every_view_shows_the_cluster_that_runs() {
    let scene = Scene::start(of(every_view_shows_the_cluster_that_runs));
    let facts = facts(&scene);
    let mut page = scene.page();
    assert_eq!(page.value("all('nav a').length"), VIEWS.len());
    for look in LOOKS {
        page.looked_at(look);
        for (view, title) in VIEWS {
            opens(&mut page, view, title);
            if view == "logs" {
                page.chooses("select[aria-label=Process]", &scene.writer.to_string());
            }
            page.until(&format!("what {view} shows"), &format!("shows.{view}({facts})"));
            page.is_sound(view);
            page.picture(view);
        }
        page.is_clean();
    }
    page.clicks("header button", "log out");
    page.until("the way out", "one('h1', 'You are logged out')");
    page.picture("out");
    page.is_clean();
}

#[test]
#[ignore = "needs Chromium"]
fn an_actor_that_fails_turns_red_and_heals() {
    let scene = Scene::start(of(an_actor_that_fails_turns_red_and_heals));
    let mut page = scene.page();
    for look in LOOKS {
        page.looked_at(look);
        opens(&mut page, "actors", "Actors");
        page.until("an actor that is well", "row('Actors', 'scores#', 'running')");
        scene.breaks();
        page.until("a red row", "isRed(row('Actors', 'scores#').querySelector('.state'), 'color')");
        page.until("a word on it in every view", "one('header .health.bad', '1 failing')");
        page.is_sound("actors");
        page.picture("actors-failing");
        // Why it is so: the root cause.
        page.clicks(".rows .tr.bad", "scores#");
        page.until("the reason", "one('.drawer .story', 'the shard map is')");
        page.is_sound("an actor");
        page.picture("actor-failing");
        page.clicks(".drawer button[aria-label='Close']", "");
        opens(&mut page, "cluster", "Cluster");
        page.until("it among those that need somebody", "one('.panel li.bad', 'scores#')");
        page.is_sound("cluster");
        page.picture("cluster-failing");
        opens(&mut page, "tree", "Tree");
        page.clicks(".chip.bad", "show what fails");
        let (red, paint) = match look.is_narrow() {
            false => (".map .node.bad[aria-label^='scores#'] .card", "stroke"),
            true => (".rows .tr.bad:not(.way) .state", "color"),
        };
        page.until("a red one", &format!("isRed(all(`{red}`)[0], '{paint}')"));
        page.until("a red one that is seen", &format!("isSeen(all(`{red}`)[0])"));
        page.picture("tree-failing");
        scene.mends();
        let healed = match look.is_narrow() {
            false => "inTree('scores#', 'running').matches('.healed')",
            true => "row('Supervision tree', 'scores#', 'healed')",
        };
        page.until("one that has healed", healed);
        page.is_sound("tree");
        page.picture("tree-healed");
        let is_well = "!one('header .health.bad') && !all('.map .node.bad, .rows .tr.bad').length";
        page.until("nothing red", is_well);
        page.is_clean();
    }
}

#[test]
#[ignore = "needs Chromium"]
fn a_browser_ends_with_whoever_has_started_it() {
    let mut browser = Chromium::start();
    browser.ask(None, "Browser.getVersion", json!({})).expect("an answer");
    assert!(browser.processes().len() > 1, "it has children");
    browser.lets_go();
    until("the end of all of them", || browser.processes().is_empty());
}
