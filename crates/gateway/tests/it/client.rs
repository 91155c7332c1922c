//! Requests without a network, and what is looked at in their answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use gateway::balance::Balanced;
use serde_json::Value;
use tower::ServiceExt;

use crate::double::World;
use crate::schedulers::Schedulers;

/// How long a fact may take to become true.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Gateway {
    pub(crate) world: Arc<World>,
    router: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Gateway {
    pub(crate) fn new() -> Gateway {
        Gateway::with(gateway::Config::default())
    }

    pub(crate) fn with(config: gateway::Config) -> Gateway {
        let world = World::new();
        let ports = gateway::Ports {
            scheduler: world.clone(),
            store: world.clone(),
            files: world.clone(),
            logs: world.clone(),
            clock: world.clone(),
            cluster: None,
            policy: None,
            balance: None,
        };
        Gateway { router: gateway::router(config, ports), world }
    }

    /// In front of schedulers; files, logs and the clock are the world's.
    pub(crate) fn before(schedulers: &Arc<Schedulers>, balanced: Balanced) -> Gateway {
        let world = World::new();
        let balance = balanced.algorithms();
        let balanced = Arc::new(balanced);
        let ports = gateway::Ports {
            scheduler: balanced.clone(),
            store: balanced.clone(),
            files: world.clone(),
            logs: world.clone(),
            clock: world.clone(),
            cluster: Some(schedulers.clone()),
            policy: Some(balanced),
            balance: Some(balance),
        };
        Gateway { router: gateway::router(gateway::Config::default(), ports), world }
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.expect("the router is infallible")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = tokio::time::timeout(DEADLINE, to_bytes(body, usize::MAX))
            .await
            .expect("the body ends");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.expect("the body is whole").to_vec(),
        }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(request(Method::GET, uri, "")).await
    }

    pub(crate) async fn put(&self, uri: &str) -> Answer {
        self.send(request(Method::PUT, uri, "")).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &str) -> Answer {
        self.send(request(Method::POST, uri, body)).await
    }
}

/// With `application/xml` when there is a body.
pub(crate) fn request(method: Method, uri: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if !body.is_empty() {
        request = request
            .header("content-type", "application/xml;charset=UTF-8")
            .header("content-length", body.len());
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The code of an error: Oozie's header, or our JSON's.
    pub(crate) fn code(&self) -> String {
        match self.header("oozie-error-code") {
            "" if self.body.starts_with(b"{") => {
                self.json()["code"].as_str().unwrap_or("").to_owned()
            }
            code => code.to_owned(),
        }
    }
}

/// `<configuration>` of these properties.
pub(crate) fn configuration(pairs: &[(&str, &str)]) -> String {
    let property = |(name, value): &(&str, &str)| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    format!("<configuration>{}</configuration>", pairs.iter().map(property).collect::<String>())
}
