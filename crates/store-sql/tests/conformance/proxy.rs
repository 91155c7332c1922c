//! A wire that can be cut on one side only: the client sees its connection die, the server does not.

use std::sync::Arc;

use tokio::io::copy;
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// Forwards connections to a port of this machine until they are cut; later ones are forwarded again.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wires: Arc<Mutex<Wires>>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Wires {
    copies: Vec<AbortHandle>,
    /// What the server would see end.
    kept: Vec<Arc<Mutex<OwnedWriteHalf>>>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let own = listener.local_addr().expect("bound").port();
        let wires = Arc::new(Mutex::new(Wires::default()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, port, Arc::clone(&wires)));
        Proxy { port: own, wires, _accepting: accepting }
    }

    /// Ends every connection towards its client; the server's side stays open.
    pub(crate) async fn cut(&self) {
        let copies = std::mem::take(&mut self.wires.lock().await.copies);
        copies.iter().for_each(AbortHandle::abort);
    }
}

async fn accept(listener: TcpListener, port: u16, wires: Arc<Mutex<Wires>>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, to_server) = server.into_split();
        let to_server = Arc::new(Mutex::new(to_server));
        let kept = Arc::clone(&to_server);
        let up = tokio::spawn(async move {
            let mut to_server = to_server.lock().await;
            copy(&mut from_client, &mut *to_server).await.map(drop)
        });
        let down =
            tokio::spawn(async move { copy(&mut from_server, &mut to_client).await.map(drop) });
        let mut wires = wires.lock().await;
        wires.copies.extend([up.abort_handle(), down.abort_handle()]);
        wires.kept.push(kept);
    }
}
