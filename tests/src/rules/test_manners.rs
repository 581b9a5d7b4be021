//! Tests wait for conditions, not for time; ignore nothing in silence; use no fixed port.

use crate::Finding;
use crate::lexed::words;
use crate::tree::{Source, Tree};

/// What stops the clock of a test, so that its sleeps take no time.
const PAUSES: [&str; 2] = ["start_paused = true", "time::pause("];

/// Ways to write a loopback or wildcard host.
const HOSTS: [&str; 5] = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]"];

/// Test code that sleeps, ignores without a reason, or names a port.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(check_file).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let paused =
        PAUSES.iter().any(|pause| source.code_lines(true).any(|(_, line)| line.contains(pause)));
    for (line, code) in source.code_lines(true) {
        let mut find =
            |rule, what: &str| findings.push(Finding::new(&source.path, line, rule, what));
        if code.replace(' ', "").contains("#[ignore]") {
            find("ignored-with-reason", "`#[ignore]` without a reason");
        }
        if sleeps(code, "thread") || (sleeps(code, "time") && !paused) {
            find("no-sleep", "a test sleeps: wait for the condition itself, or pause the clock");
        }
    }
    for (line, text) in source.lines(&source.text, true) {
        if in_literal(source, line) && fixed_port(text) {
            let what = "a fixed port: bind port 0 and ask which it became";
            findings.push(Finding::new(&source.path, line, "no-fixed-port", what));
        }
    }
    findings
}

/// Whether code calls `thread::sleep` or one of tokio's sleeps (`time::sleep`, bare `sleep`).
fn sleeps(code: &str, module: &str) -> bool {
    ["sleep", "sleep_until", "sleep_ms"].iter().any(|name| {
        words(code, name).any(|at| {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let path = before.strip_suffix("::");
            let bare = path.is_none() && !before.ends_with(['.', '_']) && !before.ends_with("fn ");
            after.starts_with('(')
                && (path.is_some_and(|path| path.ends_with(module)) || (bare && module == "time"))
        })
    })
}

fn in_literal(source: &Source, line: usize) -> bool {
    let literal = source.lexed.literals.lines().nth(line - 1).unwrap_or_default();
    HOSTS.iter().any(|host| literal.contains(host))
}

/// Whether a host is followed by a port other than 0: `"127.0.0.1:80"` or `("127.0.0.1", 80)`.
fn fixed_port(text: &str) -> bool {
    HOSTS.iter().any(|host| {
        text.match_indices(host).any(|(at, _)| {
            let after = &text[at + host.len()..];
            let port = after.strip_prefix(':').or_else(|| after.strip_prefix("\", "));
            port.is_some_and(|port| port.starts_with(|c: char| ('1'..='9').contains(&c)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let findings = check(&Tree::of(&[(path, text)]));
        findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn a_test_does_not_sleep() {
        let slept = vec![(1, "no-sleep")];
        assert_eq!(found("a/tests/b.rs", "std::thread::sleep(d);"), slept);
        assert_eq!(found("a/tests/b.rs", "tokio::time::sleep(d).await;"), slept);
        assert_eq!(found("a/tests/b.rs", "sleep(d).await; // start_paused = true"), slept);
        assert_eq!(found("a/src/b.rs", "tokio::time::sleep(d).await;"), vec![]);
        assert_eq!(found("a/tests/b.rs", "fn sleep(d: u8) {} state.sleep(d);"), vec![]);
    }

    #[test]
    fn a_paused_clock_may_sleep() {
        let attribute = "#[tokio::test(start_paused = true)]\n";
        let sleep = "async fn a() { tokio::time::sleep(d).await; }\n";
        assert_eq!(found("a/tests/b.rs", &format!("{attribute}{sleep}")), vec![]);
        let thread = format!("{attribute}fn a() {{ thread::sleep(d); }}\n");
        assert_eq!(found("a/tests/b.rs", &thread), vec![(2, "no-sleep")]);
    }

    #[test]
    fn a_test_is_ignored_with_a_reason() {
        assert_eq!(found("a/tests/b.rs", "#[ignore]\n"), vec![(1, "ignored-with-reason")]);
        assert_eq!(found("a/tests/b.rs", "#[ignore = \"needs a GPU\"]\n// #[ignore]\n"), vec![]);
    }

    #[test]
    fn a_test_uses_no_fixed_port() {
        let at = |host: &str, port: &str| {
            let text = format!("bind(\"{host}{port})");
            found("a/tests/b.rs", &text).iter().map(|(_, rule)| *rule).collect::<String>()
        };
        assert_eq!(at("127.0.0.1", ":8080\""), "no-fixed-port");
        assert_eq!(at("[::1]", ":8080\""), "no-fixed-port");
        assert_eq!(at("localhost", "\", 80"), "no-fixed-port");
        assert_eq!(at("127.0.0.1", ":0\""), "");
        assert_eq!(at("[::]", "\", 0"), "");
        assert_eq!(found("a/tests/b.rs", &format!("// {}:8080", HOSTS[0])), vec![]);
    }
}
