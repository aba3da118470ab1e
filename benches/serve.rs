//! Load on a running `pipeline serve`: requests a second and how long each took.
//!
//! ```text
//! pipeline serve cnn_svm --model svm_rbf_a3 --port 8765 &
//! cargo bench --bench serve -- 127.0.0.1:8765 svm_rbf_a3 photo.png
//! ```
//!
//! 16 connections that stay open, each with one request at a time, 20,000 requests in all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const N_CONNECTIONS: usize = 16;
const N_REQUESTS: usize = 20_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [address, model, image] = &args[..] else {
        eprintln!("skipped: name the address of a server, a model and a PNG file");
        return;
    };
    let image = std::fs::read(image).expect("the image can be read");
    let mut request = format!(
        "POST /predict?model={model} HTTP/1.1\r\nhost: {address}\r\ncontent-type: image/png\r\n\
         content-length: {}\r\n\r\n",
        image.len()
    )
    .into_bytes();
    request.extend(image);
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let ask = || {
            let stream = TcpStream::connect(address).expect("the server is there");
            stream.set_nodelay(true).expect("a socket");
            let mut stream = BufReader::new(stream);
            let mut times = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < N_REQUESTS {
                let asked = Instant::now();
                stream.get_mut().write_all(&request).expect("a request is taken");
                assert_eq!(answered(&mut stream), 200, "a refusal");
                times.push(asked.elapsed());
            }
            times
        };
        let threads: Vec<_> = (0..N_CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no refusal")).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{:.0} requests/s; p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        times.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Status of the next response, its body read to the end.
fn answered(stream: &mut BufReader<TcpStream>) -> u16 {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a response");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest[..3].parse().expect("a status");
        } else if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse().expect("a length");
        } else if line.is_empty() {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            return status;
        }
    }
}
