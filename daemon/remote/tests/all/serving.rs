//! A server of ours in this process: users in a table, datastores in a folder, time that does not pass.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use reel_config::{ConfigDir, FileClass};
use reel_remote::serve::{
    Gate, HostNames, LoginOutcome, Pause, Refused, Server, StoreInUse, StoreInfo, Stores,
    Surroundings, Worker, Workers, create_keys,
};
use reel_remote::{Client, ClientOptions, Endpoint, Login};
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{ChunkOrder, Datastore, DatastoreConfig, StoreEnvironment};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::{CryptMode, DataBlob, ServiceUser, plain_digest};
use reel_types::{AuthId, ManualClock, Privilege, SnapshotPath, StoreName};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_openssl::SslStream;

use crate::support::certificate::self_signed;

pub const NOW: i64 = 1_795_440_813;
/// Everybody's password, and every token's secret.
pub const SECRET: &str = "se:cret+/";

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Users, tokens, and what they may do below a path.
pub struct Table {
    known: HashSet<String>,
    pub inactive: Mutex<HashSet<String>>,
    grants: Vec<(&'static str, &'static str, &'static [Privilege])>,
}

const READS: &[Privilege] = &[Privilege::DatastoreAudit, Privilege::DatastoreRead];
const ALL: &[Privilege] = &[
    Privilege::DatastoreAudit,
    Privilege::DatastoreRead,
    Privilege::DatastoreBackup,
    Privilege::DatastoreModify,
];
const BACKS_UP: &[Privilege] = &[Privilege::DatastoreBackup];

impl Table {
    /// Those of the recorded server, and one who sees a namespace alone.
    fn recorded() -> Self {
        let grants = vec![
            ("alice@pbs", "/datastore/store1", ALL),
            ("alice@pbs!sync", "/datastore/store1", READS),
            ("alice@pbs!tok1", "/datastore/store1", BACKS_UP),
            ("bob@pbs", "/datastore/store1", BACKS_UP),
            ("root@pam", "/datastore", ALL),
            ("carol@pbs", "/datastore/store1/a/b", READS),
        ];
        let names = [
            "alice@pbs",
            "alice@pbs!sync",
            "alice@pbs!tok1",
            "bob@pbs",
            "carol@pbs",
            "nobody@pbs",
            "root@pam",
        ];
        let known = names.into_iter().map(str::to_owned).collect();
        Self { known, inactive: Mutex::default(), grants }
    }

    fn grants_of(&self, id: &str) -> impl Iterator<Item = (&'static str, &'static [Privilege])> {
        let id = id.to_owned();
        self.grants.iter().filter(move |grant| grant.0 == id).map(|grant| (grant.1, grant.2))
    }

    fn has(&self, id: &str, path: &str, privilege: Privilege) -> bool {
        let is_at = |granted: &str| path == granted || path.starts_with(&format!("{granted}/"));
        self.grants_of(id).any(|(granted, rights)| is_at(granted) && rights.contains(&privilege))
    }
}

impl Gate for Table {
    fn login(&self, user: &AuthId, password: &str) -> LoginOutcome {
        match (user.user().ends_with("@openid"), password == SECRET) {
            (true, _) => LoginOutcome::NoPasswords,
            (false, true) => LoginOutcome::Welcome,
            (false, false) => LoginOutcome::Refused,
        }
    }

    fn token(&self, _: &AuthId, secret: &str) -> bool {
        secret == SECRET
    }

    fn is_active(&self, id: &AuthId) -> bool {
        let inactive = self.inactive.lock().unwrap();
        let is = |id: &str| self.known.contains(id) && !inactive.contains(id);
        is(&id.to_string()) && is(id.user()) || id.user().ends_with("@openid")
    }

    fn allows(&self, id: &AuthId, path: &str, privilege: Privilege) -> bool {
        let user_may = id.token().is_none() || self.has(id.user(), path, privilege);
        user_may && self.has(&id.to_string(), path, privilege)
    }

    fn allows_below(&self, id: &AuthId, path: &str, privileges: &[Privilege]) -> bool {
        self.grants_of(&id.to_string()).any(|(granted, rights)| {
            granted.starts_with(&format!("{path}/"))
                && privileges.iter().any(|privilege| rights.contains(privilege))
        })
    }
}

/// The datastores of a folder.
pub struct Folder {
    stores: HashMap<StoreName, Arc<Datastore>>,
    pub maintenance: Mutex<Option<String>>,
}

impl Stores for Folder {
    fn list(&self) -> Result<Vec<StoreInfo>, Refused> {
        let maintenance = self.maintenance.lock().unwrap().clone();
        let info = |name: &StoreName| StoreInfo {
            name: name.clone(),
            comment: Some("fixture store 1".into()),
            maintenance: maintenance.clone(),
        };
        Ok(self.stores.keys().map(info).collect())
    }

    fn open(&self, name: &StoreName) -> Result<StoreInUse, Refused> {
        if let Some(mode) = &*self.maintenance.lock().unwrap() {
            return Err(format!("datastore '{name}' is in maintenance mode '{mode}'").into());
        }
        let store = self.stores.get(name).ok_or_else(|| format!("no such datastore '{name}'"))?;
        Ok(StoreInUse { store: Arc::clone(store), guard: Box::new(()) })
    }
}

/// Tasks that were started, by kind, id and user, and how they ended.
#[derive(Default)]
pub struct Tasks {
    pub seen: Mutex<Vec<Arc<Seen>>>,
}

pub struct Seen {
    pub name: String,
    pub end: watch::Sender<Option<Result<(), String>>>,
    pub stop: watch::Sender<bool>,
}

impl Seen {
    pub async fn ended(&self) -> Result<(), String> {
        let mut end = self.end.subscribe();
        end.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}

impl Tasks {
    pub fn last(&self) -> Arc<Seen> {
        Arc::clone(self.seen.lock().unwrap().last().unwrap())
    }
}

struct Recorder(Arc<Tasks>);

impl Workers for Recorder {
    fn start(&self, kind: &str, id: &str, who: &AuthId) -> Result<Arc<dyn Worker>, Refused> {
        let name = format!("{kind} {id} {who}");
        let seen =
            Arc::new(Seen { name, end: watch::Sender::default(), stop: watch::Sender::default() });
        self.0.seen.lock().unwrap().push(Arc::clone(&seen));
        Ok(Arc::new(OneTask(seen)))
    }
}

struct OneTask(Arc<Seen>);

impl Worker for OneTask {
    fn log(&self, _: &str) {}

    fn stopped(&self) -> BoxFuture<()> {
        let mut stop = self.0.stop.subscribe();
        Box::pin(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        })
    }

    fn end(&self, outcome: Result<(), String>) {
        self.0.end.send_replace(Some(outcome));
    }
}

/// Writes down how long clients would have waited.
#[derive(Default)]
pub struct Pauses(Mutex<Vec<Duration>>);

impl Pauses {
    /// What was waited since the last question.
    pub fn taken(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Pause for Pauses {
    fn pause(&self, duration: Duration) -> BoxFuture<()> {
        self.0.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// A server that runs until it is dropped.
pub struct Served {
    _folder: tempfile::TempDir,
    pub base: PathBuf,
    pub store: Arc<Datastore>,
    pub table: Arc<Table>,
    pub stores: Arc<Folder>,
    pub tasks: Arc<Tasks>,
    pub pauses: Arc<Pauses>,
    pub clock: ManualClock,
    pub address: SocketAddr,
    fingerprint: reel_types::Fingerprint,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Served {
    /// With an empty datastore `store1`.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("store1");
        fs::create_dir_all(base.join(".chunks")).unwrap();
        Self::start_with(folder, base).await
    }

    /// With the datastore of a real server, unless it isn't there.
    pub async fn start_recorded() -> Option<Self> {
        let base = unpacked("pbs-datastore-store1.tar.zst", "store1")?;
        Some(Self::start_with(tempfile::tempdir().unwrap(), base).await)
    }

    async fn start_with(folder: tempfile::TempDir, base: PathBuf) -> Self {
        let config = ConfigDir::new(folder.path());
        let (certificate, key) = certificate();
        config.replace("proxy.pem", certificate, FileClass::Normal).unwrap();
        config.replace("proxy.key", key, FileClass::Normal).unwrap();
        let names = HostNames { node: "host".into(), fqdn: "host.example".into() };
        create_keys(&config, &names, false, NOW).unwrap();
        let store = open(&base, folder.path());
        let stores = HashMap::from([(store.name().clone(), Arc::clone(&store))]);
        let stores = Arc::new(Folder { stores, maintenance: Mutex::default() });
        let (table, tasks) = (Arc::new(Table::recorded()), Arc::new(Tasks::default()));
        let (pauses, clock) = (Arc::new(Pauses::default()), ManualClock::at(NOW));
        let around = Surroundings {
            gate: Arc::clone(&table) as Arc<dyn Gate>,
            stores: Arc::clone(&stores) as Arc<dyn Stores>,
            workers: Arc::new(Recorder(Arc::clone(&tasks))),
            clock: Arc::new(clock.clone()),
            pause: Arc::clone(&pauses) as Arc<dyn Pause>,
        };
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), &config, around).await.unwrap();
        let (address, fingerprint) = (server.address().unwrap(), server.fingerprint().unwrap());
        let running = tokio::spawn(server.run());
        Self {
            _folder: folder,
            base,
            store,
            table,
            stores,
            tasks,
            pauses,
            clock,
            address,
            fingerprint,
            running,
        }
    }

    /// A client of ours, logged in as this user or token.
    pub fn client(&self, auth_id: &str) -> Client {
        let host = self.address.ip().to_string().parse().unwrap();
        let fingerprint = Some(self.fingerprint);
        let endpoint = Endpoint { host, port: self.address.port(), fingerprint };
        let login = Login { auth_id: auth_id.parse().unwrap(), password: SECRET.parse().unwrap() };
        Client::new(endpoint, login, ClientOptions::default())
    }

    /// Asks once, over a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Heard {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let configuration = connector.build().configure().unwrap().verify_hostname(false);
        let mut stream = SslStream::new(configuration.into_ssl("localhost").unwrap(), tcp).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        heard(stream, method, target, headers, body).await
    }

    /// Asks for something as a token.
    pub async fn get(&self, token: &str, target: &str) -> Heard {
        let authorization = token_header(token);
        self.ask("GET", target, &[("authorization", &authorization)], "").await
    }

    /// The headers of a user who has logged in: cookie and CSRF token.
    pub async fn log_in(&self, user: &str) -> (String, String) {
        let body = serde_json::json!({ "username": user, "password": SECRET }).to_string();
        let json = [("content-type", "application/json")];
        let heard = self.ask("POST", "//api2/json/access/ticket", &json, &body).await;
        assert_eq!(heard.status, 200, "{}", heard.body);
        let answer: serde_json::Value = serde_json::from_str(&heard.body).unwrap();
        let text = |key: &str| answer["data"][key].as_str().unwrap().to_owned();
        (format!("PBSAuthCookie={}", text("ticket")), text("CSRFPreventionToken"))
    }

    /// A finished snapshot of `owner` with the blob `a.conf.blob` and an image `disk.img.fidx` of one chunk of `fill`.
    pub fn add_snapshot(&self, snapshot: &str, owner: &str, fill: u8) -> SnapshotPath {
        let snapshot: SnapshotPath = snapshot.parse().unwrap();
        let owner: AuthId = owner.parse().unwrap();
        if !snapshot.namespace.is_root() {
            // It may be there.
            let _ = self.store.create_namespace(&snapshot.namespace);
        }
        let writer = self.store.create_snapshot(&snapshot, &owner).unwrap();
        let blob = |data: &[u8]| DataBlob::encode(data, None, false).unwrap();
        writer.add_blob(&"a.conf.blob".parse().unwrap(), &blob(b"conf"), CryptMode::None).unwrap();
        let data = vec![fill; 5000];
        let digest = plain_digest(&data);
        fs::create_dir_all(self.store.chunks().path(&digest).parent().unwrap()).unwrap();
        let image = writer.image(&"disk.img.fidx".parse().unwrap(), 5000, CryptMode::None).unwrap();
        image.add(5000, 5000, &digest, &blob(&data)).unwrap();
        image.close().unwrap();
        writer.finish(None).unwrap();
        snapshot
    }
}

pub fn token_header(token: &str) -> String {
    format!("PBSAPIToken={token}:{}", SECRET.replace('+', "%2B"))
}

/// One exchange over an open connection.
pub async fn heard<S>(
    stream: S,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Heard
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(target).header("host", "127.0.0.1:8007");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Heard { status: head.status.as_u16(), headers: head.headers, body }
}

fn open(base: &Path, run: &Path) -> Arc<Datastore> {
    let config = DatastoreConfig {
        name: "store1".parse().unwrap(),
        path: base.to_owned(),
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::None,
    };
    let user = ServiceUser::current();
    let environment = StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(run.join("run"), user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(ManualClock::at(NOW)),
    };
    Datastore::open(&config, &environment).unwrap()
}

/// A certificate and its key, made once.
fn certificate() -> (&'static [u8], &'static [u8]) {
    static MADE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (certificate, key) = MADE.get_or_init(|| {
        let (certificate, key) = self_signed("host.example");
        (certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
    });
    (certificate, key)
}

/// The folder of real PBS data, unless it isn't there: then says so.
pub fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let folder = std::env::var_os("REELFS_FIXTURES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}

/// Unpacks an archive of the fixtures once for all test runs; tests only read there.
fn unpacked(archive: &str, folder: &str) -> Option<PathBuf> {
    static UNPACKING: Mutex<()> = Mutex::new(());
    let _alone = UNPACKING.lock();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("served-{archive}"));
    let archive = fixtures()?.join(archive);
    if !cache.is_dir() {
        fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let mut tar = Command::new("tar");
        tar.args(["--zstd", "--no-same-owner", "-xf"]).arg(archive).arg("-C").arg(&fresh);
        assert!(tar.status().unwrap().success());
        if fs::rename(&fresh, &cache).is_err() {
            // Another test was first.
            fs::remove_dir_all(&fresh).unwrap();
        }
    }
    Some(cache.join(folder))
}
