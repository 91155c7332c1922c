//! A server for tests that gives the answers it was told to give, in order, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers: status line, headers, body.
    Answer(&'static str, Vec<(&'static str, &'static str)>, String),
    /// Reads the request and goes away.
    Lost,
}

impl Reply {
    pub(crate) fn json(body: &str) -> Reply {
        Reply::Answer(
            "200 OK",
            vec![("Content-Type", "application/json; charset=\"UTF-8\"")],
            body.to_owned(),
        )
    }

    pub(crate) fn created(body: &str) -> Reply {
        Reply::Answer("201 Created", vec![("Content-Type", "application/json")], body.to_owned())
    }

    pub(crate) fn text(body: &str) -> Reply {
        Reply::Answer(
            "200 OK",
            vec![("Content-Type", "text/plain; charset=\"UTF-8\"")],
            body.to_owned(),
        )
    }

    pub(crate) fn refusal(code: &'static str, message: &'static str) -> Reply {
        let headers = vec![("oozie-error-code", code), ("oozie-error-message", message)];
        Reply::Answer("400 Bad Request", headers, "<html/>".to_owned())
    }
}

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Method and target.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct TestServer {
    /// `http://127.0.0.1:<port>/oozie`
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Answers as many requests as there are replies, then ends.
    pub(crate) fn start(replies: Vec<Reply>) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/oozie", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            for reply in replies {
                let (stream, _) = listener.accept().expect("a client");
                serve(stream, &reply, &heard);
            }
        });
        TestServer { url, asked, thread: Some(thread) }
    }

    /// Everything that was asked, after the last reply was given.
    pub(crate) fn asked(mut self) -> Vec<Asked> {
        self.thread.take().expect("joined once").join().expect("the server did not panic");
        self.asked.lock().expect("no panic").clone()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, heard: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut asked = Asked::default();
    reader.read_line(&mut asked.line).expect("a request line");
    asked.line = asked.line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length =
        asked.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the whole body");
    asked.body = String::from_utf8(body).expect("text");
    heard.lock().expect("no panic").push(asked);
    if let Reply::Answer(status, headers, body) = reply {
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body.as_bytes()))
            .expect("the client reads");
    }
}
