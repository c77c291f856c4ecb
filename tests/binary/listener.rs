//! An HTTP server that is content with everything and tells what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// A request as it came.
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Listener {
    pub(crate) url: String,
    coming: Receiver<Request>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (tell, coming) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                thread::spawn(move || answer(stream, &tell));
            }
        });
        Self { url, coming }
    }

    /// The next request.
    pub(crate) fn next(&self) -> Request {
        self.coming.recv_timeout(Duration::from_secs(60)).expect("a request")
    }

    /// What came by now.
    pub(crate) fn so_far(&self) -> Vec<Request> {
        self.coming.try_iter().collect()
    }
}

fn answer(stream: TcpStream, tell: &Sender<Request>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = String::new();
    while reader.read_line(&mut headers).ok()? > 2 {}
    let headers = headers.to_lowercase();
    let length = headers.lines().find_map(|h| h.strip_prefix("content-length:"))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    tell.send(Request { line, headers, body }).ok()
}
