//! A server that speaks as much of S3 as a client that spills needs: objects, ranges, lists in pages, uploads in parts, and many removed at once.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use raytree_objects::SpillUrl;

use super::dates::{as_in_headers, as_in_lists};

/// Objects in one page of a list: few, so that there are several.
const PAGE: usize = 3;
/// Who may use it.
const USER: &str = "spills";

#[derive(Clone, Default)]
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    /// When it was written, in seconds.
    pub(super) at: u64,
}

#[derive(Default)]
pub(super) struct Inside {
    /// By bucket and key, as in the path of a request.
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// How many uploads there ever were.
    pub(super) uploaded: usize,
    /// So many more requests are answered with an error.
    pub(super) errors: usize,
    /// No request is answered.
    pub(super) is_gone: bool,
    /// Nobody may use it any more.
    pub(super) is_closed: bool,
    /// How many were told so.
    pub(super) refused: usize,
    /// Parts of uploads are refused after so many.
    pub(super) parts_left: Option<usize>,
    /// The time, in seconds.
    pub(super) now: u64,
}

/// See the [module documentation](self).
#[derive(Clone)]
pub(super) struct S3 {
    inside: Arc<Mutex<Inside>>,
    at: SocketAddr,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

impl S3 {
    /// One that runs until the process ends.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("its port");
        let inside = Arc::new(Mutex::new(Inside { now: 1_800_000_000, ..Inside::default() }));
        let own = Self { inside, at };
        let serves = own.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = serves.clone();
                thread::spawn(move || own.serve(&stream));
            }
        });
        own
    }

    /// A place in it.
    pub(super) fn url(&self, prefix: &str) -> SpillUrl {
        let url = SpillUrl::new(format!("s3://bucket{prefix}"));
        let options = [
            ("aws_endpoint", format!("http://{}", self.at)),
            ("aws_allow_http", "true".to_owned()),
            ("aws_access_key_id", USER.to_owned()),
            ("aws_secret_access_key", "word".to_owned()),
            ("aws_region", "here".to_owned()),
        ];
        options.iter().fold(url, |url, (name, value)| url.option(name, value))
    }

    pub(super) fn with<T>(&self, done: impl FnOnce(&mut Inside) -> T) -> T {
        done(&mut self.inside.lock().expect("nobody has panicked"))
    }

    fn serve(&self, stream: &TcpStream) {
        let mut from = BufReader::new(stream);
        while let Ok(Some(request)) = read(&mut from) {
            let is_head = request.method == "HEAD";
            let Some(answer) = self.with(|inside| answer(inside, request)) else { return };
            if write(stream, &answer, is_head).is_err() {
                return;
            }
        }
    }
}

fn read(from: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |len| len.parse().expect("a length"));
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), decoded(value))
    });
    Ok(Some(Request { method, path: decoded(path), query: query.collect(), headers, body }))
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(&part[..2], 16).expect("two digits");
        decoded.push(char::from(code));
        decoded.push_str(&part[2..]);
    }
    decoded
}

fn write(mut to: &TcpStream, answer: &Answer, is_head: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} so\r\n", answer.status);
    let has_length = answer.headers.iter().any(|(name, _)| *name == "content-length");
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !has_length {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
    head.push_str("\r\n");
    to.write_all(head.as_bytes())?;
    if is_head { Ok(()) } else { to.write_all(&answer.body) }
}

/// None: it hangs up.
fn answer(inside: &mut Inside, request: Request) -> Option<Answer> {
    if inside.is_gone {
        return None;
    }
    if inside.errors > 0 {
        inside.errors -= 1;
        return Some(Answer::new(500, "not now"));
    }
    let told = request.headers.get("authorization").map_or("", |told| told);
    if inside.is_closed || !told.starts_with(&format!("AWS4-HMAC-SHA256 Credential={USER}/")) {
        inside.refused += 1;
        return Some(Answer::new(403, "not you"));
    }
    let query = |name: &str| request.query.get(name).cloned();
    Some(match (&*request.method, query("uploadId")) {
        ("GET", _) if query("list-type").is_some() => list(inside, &request),
        ("GET" | "HEAD", _) => get(inside, &request),
        ("PUT", None) => put(inside, request.path, request.body),
        ("PUT", Some(_)) if inside.parts_left == Some(0) => Answer::new(400, "no more"),
        ("PUT", Some(upload)) => {
            inside.parts_left = inside.parts_left.map(|left| left - 1);
            let number = query("partNumber").and_then(|number| number.parse().ok());
            let number = number.expect("the number of a part");
            inside.uploads.entry(upload).or_default().insert(number, request.body);
            tagged(200)
        }
        ("POST", None) if query("uploads").is_some() => {
            inside.uploaded += 1;
            let text = format!(
                "<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>",
                inside.uploaded
            );
            Answer::new(200, text)
        }
        ("POST", None) => remove_all(inside, &request),
        ("POST", Some(upload)) => {
            let parts = inside.uploads.remove(&upload).expect("an upload");
            put(inside, request.path, parts.into_values().flatten().collect());
            let text =
                "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>";
            Answer::new(200, text)
        }
        ("DELETE", None) => {
            inside.objects.remove(&request.path);
            Answer::new(204, "")
        }
        ("DELETE", Some(upload)) => {
            inside.uploads.remove(&upload);
            Answer::new(204, "")
        }
        _ => Answer::new(400, "what?"),
    })
}

fn tagged(status: u16) -> Answer {
    Answer { headers: vec![("etag", "\"x\"".to_owned())], ..Answer::new(status, "") }
}

fn put(inside: &mut Inside, path: String, bytes: Vec<u8>) -> Answer {
    inside.objects.insert(path, Object { bytes, at: inside.now });
    tagged(200)
}

fn get(inside: &Inside, request: &Request) -> Answer {
    let Some(object) = inside.objects.get(&request.path) else {
        return Answer::new(404, "<Error><Code>NoSuchKey</Code></Error>");
    };
    let (size, bytes) = (object.bytes.len(), &object.bytes);
    let headers = vec![("etag", "\"x\"".to_owned()), ("last-modified", as_in_headers(object.at))];
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    let Some((start, end)) = range.and_then(|range| range.split_once('-')) else {
        let length = ("content-length", size.to_string());
        let headers = headers.into_iter().chain([length]).collect();
        return Answer { headers, ..Answer::new(200, &bytes[..]) };
    };
    let start: usize = start.parse().expect("where it begins");
    if start >= size {
        return Answer::new(416, "<Error><Code>InvalidRange</Code></Error>");
    }
    let end = end.parse::<usize>().map_or(size, |last| size.min(last + 1));
    let range = ("content-range", format!("bytes {start}-{}/{size}", end - 1));
    let headers = headers.into_iter().chain([range]).collect();
    Answer { headers, ..Answer::new(206, &bytes[start..end]) }
}

fn list(inside: &Inside, request: &Request) -> Answer {
    let query = |name: &str| request.query.get(name).map_or("", |value| value);
    let bucket = format!("{}/", request.path.trim_end_matches('/'));
    let (prefix, delimiter) = (query("prefix"), query("delimiter"));
    // What is below a delimiter stands once, as a prefix.
    let mut rows: BTreeMap<String, Option<&Object>> = BTreeMap::new();
    for (path, object) in &inside.objects {
        let Some(key) = path.strip_prefix(&bucket) else { continue };
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        match rest.split_once(delimiter).filter(|_| !delimiter.is_empty()) {
            Some((folder, _)) => rows.insert(format!("{prefix}{folder}{delimiter}"), None),
            None => rows.insert(key.to_owned(), Some(object)),
        };
    }
    let after = query("continuation-token");
    let mut rest = rows.iter().filter(|(key, _)| key.as_str() > after);
    let mut text = "<ListBucketResult>".to_owned();
    let mut last = "";
    for (key, object) in rest.by_ref().take(PAGE) {
        last = key;
        text.push_str(&match object {
            Some(Object { bytes, at }) => format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>{}</LastModified><ETag>\"x\"</ETag></Contents>",
                bytes.len(),
                as_in_lists(*at)
            ),
            None => format!("<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"),
        });
    }
    if rest.next().is_some() {
        text.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken>"));
    }
    Answer::new(200, text + "</ListBucketResult>")
}

fn remove_all(inside: &mut Inside, request: &Request) -> Answer {
    let bucket = request.path.trim_end_matches('/');
    let text = String::from_utf8_lossy(&request.body);
    let mut told = "<DeleteResult>".to_owned();
    for part in text.split("<Key>").skip(1) {
        let key = part.split("</Key>").next().unwrap_or_default();
        inside.objects.remove(&format!("{bucket}/{key}"));
        told.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
    }
    Answer::new(200, told + "</DeleteResult>")
}
