//! Clients that ask for what is not there, say nonsense, or do not go away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::bench::{Bench, RESIDENT_BYTES_MAX, XML, refused, shared, shell, workflow};

/// A request is answered within this, whatever others do.
const PROMPT: Duration = Duration::from_secs(5);
/// Clients that begin a request and do not end it.
const SLOW_CLIENTS: usize = 500;
const PARALLEL_CLIENTS: usize = 50;
const GETS_EACH: usize = 20;

/// A request is refused in Oozie's way, beside the other job.
#[track_caller]
fn check(method: &str, path: &str, status: u16, code: &str, words: &[&str]) {
    let bench = shared();
    refused(&bench.server.send(method, path, XML, None).unwrap(), status, code, words);
}

/// A request is refused in our own way.
#[track_caller]
fn check_own(method: &str, path: &str, status: u16, code: &str) {
    let answer = shared().server.send(method, path, &[], None).unwrap();
    assert_eq!(answer.status, status, "{answer:?}");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert!(!body["message"].as_str().unwrap().is_empty());
}

#[test]
fn paths_and_methods_that_are_not_there_are_refused() {
    let bench = shared();
    bench.beside(|_| {
        check("GET", "/", 404, "E0301", &["/oozie/v2", "/api/v1"]);
        check("GET", "/oozie/v9/jobs", 404, "E0301", &["/oozie/v9/jobs"]);
        check("GET", "/oozie/../../etc/passwd", 404, "E0301", &[]);
        check("GET", "/oozie/v2/admin/nothing", 400, "E0301", &["nothing"]);
        check("DELETE", "/oozie/v2/jobs", 405, "HW4002", &["DELETE", "/oozie/v2/jobs"]);
        check("TRACE", "/oozie/v2/jobs", 405, "HW4002", &["TRACE"]);
        check("PATCH", "/oozie/v2/jobs", 405, "HW4002", &["PATCH"]);
        check_own("GET", "/api/v1/nothing", 404, "HW4001");
        check_own("POST", "/api/v1/openapi.json", 405, "HW4002");
    });
}

#[test]
fn bodies_of_the_wrong_type_are_refused() {
    let bench = shared();
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        bench.server.send("POST", "/oozie/v2/jobs?action=start", headers, Some(body)).unwrap()
    };
    bench.beside(|_| {
        refused(
            &post(&[("content-type", "application/json")], b"{}"),
            400,
            "E0300",
            &["application/json", "application/xml"],
        );
        refused(&post(&[], b"<configuration/>"), 400, "E0300", &["application/xml"]);
        refused(&post(XML, b"<configuration/>"), 400, "E0401", &["user.name"]);
        refused(
            &post(
                &[("content-type", "application/xml"), ("idempotency-key", &"k".repeat(300))],
                b"<configuration/>",
            ),
            400,
            "E0306",
            &["255"],
        );
        check("POST", "/oozie/v2/jobs?action=explode", 400, "E0303", &["explode", "dryrun"]);
        check("POST", "/oozie/v2/jobs?jobtype=martian", 400, "E0303", &["martian"]);
    });
}

#[test]
fn ids_and_parameters_that_are_none_are_refused() {
    let bench = shared();
    let long = "9".repeat(10_000);
    bench.beside(|bench| {
        for id in [
            "..%2F..%2Fetc%2Fpasswd",
            "%00",
            "'%3B%20DROP%20TABLE%20job%3B--",
            "0000000-000000000000000-howdah-W",
            "x",
            &long,
        ] {
            check("GET", &format!("/oozie/v2/job/{id}?show=info"), 400, "E0604", &[]);
            check("PUT", &format!("/oozie/v2/job/{id}?action=kill&user.name=x"), 400, "E0604", &[]);
            check_own("GET", &format!("/api/v1/jobs/{id}/explain"), 404, "E0604");
            check_own("GET", &format!("/api/v1/jobs/{id}/logs/..%2F..%2Fx"), 404, "E0605");
        }
        check("GET", "/oozie/v2/job/%ff%fe", 400, "E0301", &["UTF-8"]);
        check("GET", &format!("/oozie/v2/job/{}", "9".repeat(20_000)), 414, "HW4004", &["16384"]);
        check("GET", "/oozie/v2/jobs?filter=nonsense", 400, "E0420", &["nonsense"]);
        check("GET", "/oozie/v2/jobs?filter=status%3DDANCING", 400, "E0420", &["DANCING"]);
        check(
            "GET",
            "/oozie/v2/jobs?filter=startcreatedtime%3Dyesterday",
            400,
            "E0302",
            &["yesterday"],
        );
        check("GET", "/oozie/v2/jobs?len=many", 400, "E0304", &["len"]);
        check("GET", "/oozie/v2/jobs?offset=-9999999999999999999", 400, "E0304", &["offset"]);
        check("GET", "/oozie/v2/jobs?jobtype=martian", 400, "E0303", &["martian"]);
        check("PUT", "/oozie/v2/jobs?action=kill", 400, "E1603", &["filter"]);
        let job = bench.begin(&bench.app(workflow(&shell("a", "end", "true", ""))), &[]);
        check(
            "GET",
            &format!("/oozie/v2/job/{job}?show=soul"),
            400,
            "E0303",
            &["soul", "errorlog"],
        );
        check(
            "PUT",
            &format!("/oozie/v2/job/{job}?action=dance&user.name=x"),
            400,
            "E0303",
            &["dance", "resume"],
        );
        check("PUT", &format!("/oozie/v2/job/{job}"), 400, "E0305", &["action"]);
        check_own("GET", &format!("/api/v1/jobs/{job}/logs/..%2F..%2F..%2Fetc"), 404, "E0605");
        for odd in [
            "filter=name%3D%2500%27",
            "filter=user%3Da%00b",
            "timezone=Mars/Olympus",
            "len=4294967295",
            "len=0&offset=4294967295",
        ] {
            let answer =
                bench.server.send("GET", &format!("/oozie/v2/jobs?{odd}"), &[], None).unwrap();
            assert!(
                answer.status == 200 || answer.status == 400 && !answer.code.is_empty(),
                "{odd}: {answer:?}"
            );
        }
        bench.server.ended(&job).unwrap();
    });
}

#[test]
fn what_is_no_http_at_all_is_refused() {
    let bench = shared();
    let head = |text: &[u8]| {
        let mut stream = connect(&bench);
        stream.write_all(text).unwrap();
        let mut answer = Vec::new();
        // A server that is disgusted may reset the connection behind its answer.
        let _reset = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    bench.beside(|_| {
        for text in [
            &b"\x16\x03\x01\x02\x00\x01\x00"[..],
            b"hello\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\nx: \0\r\n\r\n",
            b"POST /oozie/v2/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        ] {
            assert!(
                head(text).starts_with("HTTP/1.1 400"),
                "{:?}: {}",
                String::from_utf8_lossy(text),
                head(text)
            );
        }
        let headers = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-y: z\r\n".repeat(5_000));
        assert!(head(headers.as_bytes()).starts_with("HTTP/1.1 431"));
        let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
        assert!(head(header.as_bytes()).starts_with("HTTP/1.1 431"));
    });
}

fn connect(bench: &Bench) -> TcpStream {
    let address = bench
        .server
        .url
        .trim_start_matches("http://")
        .trim_end_matches("/oozie")
        .replace("localhost", "127.0.0.1");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn clients_that_do_not_finish_hold_nobody_up() {
    let bench = shared();
    let begin = |text: &[u8]| {
        let mut stream = connect(&bench);
        stream.write_all(text).unwrap();
        stream
    };
    let halves: Vec<TcpStream> = (0..SLOW_CLIENTS)
        .map(|at| match at % 3 {
            0 => begin(b""),
            1 => begin(b"GET /oozie/v2/jobs HTTP/1.1\r\nhost: x\r\nx: "),
            _ => begin(b"POST /oozie/v2/jobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/xml\r\ncontent-length: 1000\r\n\r\n<conf"),
        })
        .collect();
    bench.beside(|bench| {
        let asked = Instant::now();
        assert_eq!(bench.server.send("GET", "/oozie/v2/jobs", &[], None).unwrap().status, 200);
        assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
    });
    let resident = bench.resident_bytes();
    assert!(
        resident < RESIDENT_BYTES_MAX,
        "{resident} bytes with {} open connections",
        halves.len()
    );
}

#[test]
fn a_thousand_requests_at_once_are_answered() {
    let bench = shared();
    let job = bench.begin(&bench.app(workflow(&shell("a", "end", "true", ""))), &[]);
    bench.server.ended(&job).unwrap();
    let paths = [
        "/oozie/v2/jobs".to_owned(),
        format!("/oozie/v2/job/{job}?show=info"),
        format!("/oozie/v2/job/{job}?show=graph"),
        "/metrics".to_owned(),
    ];
    bench.beside(|bench| {
        thread::scope(|scope| {
            for client in 0..PARALLEL_CLIENTS {
                let paths = &paths;
                scope.spawn(move || {
                    for at in 0..GETS_EACH {
                        let path = &paths[(client + at) % paths.len()];
                        assert_eq!(
                            bench.server.send("GET", path, &[], None).unwrap().status,
                            200,
                            "{path}"
                        );
                    }
                });
            }
        });
    });
    let resident = bench.resident_bytes();
    assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes");
}
