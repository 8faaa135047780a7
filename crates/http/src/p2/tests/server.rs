//! A server of a test's own: it does to a connection what the test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// A server that goes on until the end of the process.
pub(super) struct Server {
    address: SocketAddr,
    received: Mutex<mpsc::Receiver<String>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Gives each connection, with the head of the request that it brought, to `serve`.
    pub(super) fn new(serve: impl Fn(TcpStream, &str) + Send + Sync + 'static) -> Server {
        Server::telling(move |stream, head, _| serve(stream, head))
    }

    /// Answers each request with the same bytes, once the whole of it has come, and closes.
    pub(super) fn answering(bytes: &str) -> Server {
        let bytes = bytes.to_owned();
        Server::telling(move |mut stream, head, tell| {
            let mut all = head.to_owned();
            let chunked = head.contains("transfer-encoding: chunked");
            let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
                rest.split("\r\n").next().unwrap().parse::<usize>().unwrap()
            });
            let is_whole = |all: &str| {
                let body = &all[head.find("\r\n\r\n").unwrap() + 4..];
                if chunked {
                    body.contains("0\r\n") && body.ends_with("\r\n\r\n")
                } else {
                    body.len() >= length
                }
            };
            let mut buffer = [0; 1024];
            while !is_whole(&all) {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(got) => all += std::str::from_utf8(&buffer[..got]).unwrap(),
                }
            }
            tell(all);
            send(&mut stream, &bytes);
        })
    }

    fn telling(serve: impl Fn(TcpStream, &str, &dyn Fn(String)) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (teller, received) = mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, serve) = (connections.clone(), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                let (mut stream, serve, teller) = (stream.unwrap(), serve.clone(), teller.clone());
                thread::spawn(move || {
                    let head = read_head(&mut stream);
                    serve(stream, &head, &|text| drop(teller.send(text)));
                });
            }
        });
        Server { address, received: Mutex::new(received), connections }
    }

    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// A rule that covers it.
    pub(super) fn rule(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next request that was received as a whole.
    pub(super) fn received(&self) -> String {
        self.received.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Everything up to the end of the headers, and what came with it.
fn read_head(stream: &mut impl Read) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !all.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(got) => all.extend_from_slice(&buffer[..got]),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends what the other side takes.
pub(super) fn send(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

/// Says nothing, and ends when the other side does.
pub(super) fn hold(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}
