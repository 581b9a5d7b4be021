//! One page in a browser: what is in it, what it has complained of, and how it looks.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::chromium::Chromium;
use crate::clusters::support::until;

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

/// A desk and a phone, by day and by night.
pub(crate) const LOOKS: [Look; 4] = [
    Look { width: 1280, height: 800, is_dark: false },
    Look { width: 1280, height: 800, is_dark: true },
    Look { width: 390, height: 844, is_dark: false },
    Look { width: 390, height: 844, is_dark: true },
];

/// What every question about the page may use.
const ASKS: &str = include_str!("asks.js");

impl Look {
    /// As a phone, on which less stands beside each other.
    pub(crate) fn is_narrow(self) -> bool {
        self.width < 720
    }
}

pub(crate) struct Page {
    browser: Chromium,
    session: String,
    /// Where it comes from; whatever it asks for has to come from there.
    origin: String,
    look: Look,
    pictures: PathBuf,
}

impl Page {
    /// A page on which nothing is yet.
    pub(crate) fn new(origin: String, pictures: PathBuf) -> Self {
        let mut browser = Chromium::start();
        let mut ask = |method: &str, params| {
            let said = browser.ask(None, method, params);
            said.unwrap_or_else(|why| panic!("{method}: {why}"))
        };
        let target = ask("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].take();
        let params = json!({ "targetId": target, "flatten": true });
        let session = ask("Target.attachToTarget", params)["sessionId"].as_str().map(str::to_owned);
        let session = session.expect("a session");
        fs::create_dir_all(&pictures).expect("a folder for pictures");
        let mut page = Self { browser, session, origin, look: LOOKS[0], pictures };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.told(&format!("{domain}.enable"), json!({}));
        }
        page.takes(LOOKS[0]);
        page
    }

    fn told(&mut self, method: &str, params: Value) -> Value {
        let said = self.browser.ask(Some(&self.session), method, params);
        said.unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    pub(crate) fn goes_to(&mut self, url: &str) {
        let said = self.told("Page.navigate", json!({ "url": url }));
        assert_eq!(said.get("errorText"), None, "{url}");
    }

    /// Looks at it so, and loads it again: what it draws depends on the room that it finds.
    pub(crate) fn looked_at(&mut self, look: Look) {
        self.takes(look);
        self.value("window.isOld = true");
        self.told("Page.reload", json!({}));
        self.until("the page, loaded again", "!window.isOld && one('header .beat', 'live')");
    }

    fn takes(&mut self, look: Look) {
        let Look { width, height, is_dark } = look;
        self.look = look;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.told("Emulation.setEmulatedMedia", json!({ "features": features }));
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": look.is_narrow() });
        self.told("Emulation.setDeviceMetricsOverride", size);
    }

    /// What an expression is in it; an error where it is just becoming another document.
    fn ask(&mut self, expression: &str) -> Result<Value, String> {
        let expression = format!("(() => {{ {ASKS} return ({expression}); }})()");
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut said = self.browser.ask(Some(&self.session), "Runtime.evaluate", params)?;
        match said.get("exceptionDetails") {
            Some(thrown) => Err(thrown["exception"]["description"].to_string()),
            None => Ok(said["result"]["value"].take()),
        }
    }

    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.ask(expression).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    /// Waits until an expression is true in it.
    pub(crate) fn until(&mut self, what: &str, expression: &str) {
        let expression = format!("!!({expression})");
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || self.ask(&expression) == Ok(Value::Bool(true)));
        }));
        if let Err(panic) = said {
            let last = self.ask(&expression);
            let text = self.ask("document.body.innerText");
            eprintln!("---- {what}: {last:?} ----\n{expression}\n---- in {text:#?}");
            self.picture("there-never-was");
            std::panic::resume_unwind(panic);
        }
    }

    /// Clicks on what a selector finds, by its text if it is not the only one, as soon as it is there.
    pub(crate) fn clicks(&mut self, selector: &str, text: &str) {
        let found = format!("one({}, {})", json!(selector), json!(text));
        let click = "new MouseEvent('click', { bubbles: true, cancelable: true })";
        let expression = format!("((own) => own && (own.dispatchEvent({click}), true))({found})");
        self.until(&format!("{selector} with {text:?}"), &expression);
    }

    /// Chooses one of a list.
    pub(crate) fn chooses(&mut self, selector: &str, value: &str) {
        let change = "new Event('change', { bubbles: true })";
        let (list, value) = (format!("document.querySelector({})", json!(selector)), json!(value));
        let is_there = format!("[...{list}.options].some((own) => own.value === {value})");
        self.until(&format!("{value} in {selector}"), &is_there);
        self.value(&format!("(({list}.value = {value}), {list}.dispatchEvent({change}))"));
    }

    /// Nothing of it needs to be moved sideways to be read, and nothing stands there that a program would say.
    pub(crate) fn is_sound(&mut self, of: &str) {
        let width = self.look.width;
        let found = self.value(
            "['html', 'body', 'main'].map((own) => document.querySelector(own).scrollWidth)",
        );
        let widths: Vec<u64> = serde_json::from_value(found).expect("widths");
        assert!(
            widths.iter().all(|own| *own <= u64::from(width)),
            "{of} is wider than {width}: {widths:?}"
        );
        let main = self.value("document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth");
        assert_eq!(main, 0, "{of} is wider than its place");
        assert_eq!(self.value("texts('#app > .banner')"), json!([]), "{of}");
        let cut = self.value("all('.panel, .table, .bar').filter((own) => own.scrollWidth > own.clientWidth).map((own) => own.innerText)");
        assert_eq!(cut, json!([]), "of {of} something is cut off at {width}");
        let text = self.value("document.body.innerText");
        let text = text.as_str().expect("a text");
        for wrong in ["undefined", "NaN", "[object ", "Invalid Date", "One moment"] {
            assert!(!text.contains(wrong), "{of} says {wrong}: {text}");
        }
    }

    /// Since it was last asked it has asked nobody but its own server, and has not complained.
    pub(crate) fn is_clean(&mut self) {
        // What was said before this answer has been heard with it.
        self.value("true");
        let mut requests = 0;
        for event in std::mem::take(&mut self.browser.events) {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => {
                    panic!("the console has {params:#}");
                }
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().expect("an address");
                    let rest = url.strip_prefix(&self.origin);
                    assert!(rest.is_some_and(|rest| rest.starts_with('/')), "it asks for {url}");
                    requests += 1;
                }
                _ => {}
            }
        }
        assert!(requests > 0, "it asks for nothing at all");
    }

    /// It has complained, as was expected; so complaints are heard.
    pub(crate) fn has_complained(&mut self) {
        self.value("true");
        let events = std::mem::take(&mut self.browser.events);
        assert!(events.iter().any(|event| event["method"] == "Log.entryAdded"), "{events:?}");
    }

    /// Keeps what is seen.
    pub(crate) fn picture(&mut self, name: &str) {
        let Look { width, height, is_dark } = self.look;
        let scheme = if is_dark { "dark" } else { "light" };
        let said = self.told("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = bytes(said["data"].as_str().expect("a picture"));
        assert!(bytes.starts_with(b"\x89PNG"), "a picture of {name}");
        let file = self.pictures.join(format!("{width}x{height}-{scheme}-{name}.png"));
        fs::write(&file, bytes).expect("room for a picture");
    }
}

/// From base 64.
fn bytes(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let values: Vec<u32> = text.bytes().filter_map(value).map(u32::from).collect();
    let of = |part: &[u32]| {
        let joined = part.iter().fold(0, |all, own| all << 6 | own) << (6 * (4 - part.len()));
        joined.to_be_bytes()[1..part.len()].to_vec()
    };
    values.chunks(4).flat_map(of).collect()
}
