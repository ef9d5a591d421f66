//! A small HTTP server on this machine, for tests: a request a connection, and what goes wrong with servers, on demand.
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How one request is answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// As servers do: the part that was asked for, if the validator fits.
    File,
    /// The whole file with status 200, whatever part was asked for.
    Whole,
    /// Like `File`, but the connection is closed after so many bytes of it.
    CutAfter(usize),
    /// This status and nothing else, with these header lines.
    Status(&'static str, &'static str),
    /// The connection is closed at once.
    HangUp,
}

/// What the server has and was asked for.
pub(super) struct State {
    /// The one file, under every address.
    pub content: Vec<u8>,
    /// Header line that tells the file from others.
    pub validator: String,
    /// For the next requests; then `File`.
    pub answers: VecDeque<Answer>,
    /// The requests: first lines and headers, in lower case.
    pub requests: Vec<String>,
}

/// A running server. Its thread ends with the test program.
#[derive(Clone)]
pub(super) struct Server {
    pub state: Arc<Mutex<State>>,
    /// The beginning of all addresses, for an entry.
    pub address: &'static str,
}

impl Server {
    pub fn new(content: &[u8], answers: &[Answer]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/data/", listener.local_addr().unwrap()).leak();
        let state = Arc::new(Mutex::new(State {
            content: content.to_vec(),
            validator: "ETag: \"one\"".into(),
            answers: answers.iter().cloned().collect(),
            requests: Vec::new(),
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &shared); // A client may hang up.
            }
        });
        Server { state, address }
    }

    /// How many requests came, and which bytes each asked for.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let header =
            |request: &String| request.lines().find_map(|l| l.strip_prefix("range: ").map(String::from));
        self.state.lock().unwrap().requests.iter().map(header).collect()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut request = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        match line? {
            line if line.is_empty() => break,
            line => request += &(line.to_lowercase() + "\n"),
        }
    }
    let mut state = state.lock().unwrap();
    let of = state.content.len();
    let asked = |name: &str| request.lines().find_map(|l| l.strip_prefix(name).map(String::from));
    let same = asked("if-range: ")
        .is_none_or(|v| state.validator.to_lowercase().split_once(": ").is_some_and(|s| s.1 == v));
    let start = asked("range: bytes=").filter(|_| same).map(|r| r.trim_end_matches('-').parse().unwrap());
    state.requests.push(request);
    let next = state.answers.pop_front().unwrap_or(Answer::File);
    let (status, body, more) = match (&next, start) {
        (Answer::HangUp, _) => return Ok(()),
        (Answer::Status(status, headers), _) => (*status, &[][..], format!("{headers}\r\n")),
        (Answer::File | Answer::CutAfter(_), Some(start)) if start >= of => {
            ("416 Range Not Satisfiable", &[][..], format!("Content-Range: bytes */{of}\r\n"))
        }
        (Answer::File | Answer::CutAfter(_), Some(start)) => {
            let range = format!("Content-Range: bytes {start}-{}/{of}\r\n", of - 1);
            ("206 Partial Content", &state.content[start..], range)
        }
        _ => ("200 OK", &state.content[..], String::new()),
    };
    let sent = match next {
        Answer::CutAfter(n) => &body[..n],
        _ => body,
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}{}\r\nConnection: close\r\n\r\n",
        body.len(),
        state.validator
    );
    // Without validator or other header lines there are empty ones.
    let head = head.trim_end().replace("\r\n\r\n", "\r\n") + "\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(sent)
}
