//! An nginx of its own on this host, in a folder of its own; ended when dropped.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backout::adapters::nginx::{ColorFile, NginxPlace, NginxSettings};
use backout::model::ids::Color;

use crate::tools::{Running, tool};

/// A running nginx.
pub(crate) struct HostNginx {
    running: Running,
    pub(crate) port: u16,
}

/// One that other tests of its kind may run beside: its configuration and the included file.
fn written(dir: &Path, port: u16, colors: &[(&str, u16)]) {
    let shown = dir.display();
    let config = format!(
        "daemon off;\nworker_processes 2;\npid {shown}/nginx.pid;\nerror_log {shown}/error.log;\n\
         events {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path {shown}/body;\n  \
         proxy_temp_path {shown}/proxy;\n  fastcgi_temp_path {shown}/fastcgi;\n  \
         uwsgi_temp_path {shown}/uwsgi;\n  scgi_temp_path {shown}/scgi;\n  \
         include {shown}/active.conf;\n  server {{\n    listen 127.0.0.1:{port};\n    \
         location / {{ proxy_pass http://app; }}\n  }}\n}}\n"
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    for (color, place) in colors {
        let text = format!("upstream app {{ server 127.0.0.1:{place}; }}\n");
        std::fs::write(dir.join(format!("{color}.upstream")), text).unwrap();
    }
    std::fs::copy(dir.join(format!("{}.upstream", colors[0].0)), dir.join("active.conf")).unwrap();
    // As it is called without knowing where its configuration is.
    let program = dir.join("nginx");
    let line = format!("#!/bin/sh\nexec /usr/sbin/nginx -p {shown} -c {shown}/nginx.conf \"$@\"\n");
    std::fs::write(&program, line).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
}

impl HostNginx {
    /// Starts one in front of these colours and their ports, the first of which has the traffic;
    /// nothing, and said, where there is no nginx on this host.
    pub(crate) fn start(colors: &[(&str, u16)]) -> Option<Self> {
        let program = tool("nginx", "nginx")?;
        let running = Running::start(&program, |dir, port| {
            written(dir, port, colors);
            let dir = dir.display();
            ["-p".to_owned(), dir.to_string(), "-c".to_owned(), format!("{dir}/nginx.conf")].into()
        });
        let host = Self { port: running.port, running };
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", host.port)).is_err() {
            assert!(Instant::now() < until, "{}", host.running.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(host)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.running.dir.path()
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.dir().join("nginx")
    }

    pub(crate) fn settings(&self) -> NginxSettings {
        let file = |color: &str| {
            (Color::from(color), ColorFile::File(self.dir().join(format!("{color}.upstream"))))
        };
        NginxSettings {
            place: NginxPlace::Host { binary: self.binary() },
            include: self.dir().join("active.conf"),
            colors: ["blue", "green"].map(file).into(),
            public_url: format!("http://127.0.0.1:{}/health", self.port),
            active: None,
            hold_include: None,
            page: None,
            writers_include: None,
        }
    }
}

impl Drop for HostNginx {
    /// In order: a master that is killed leaves its workers behind.
    fn drop(&mut self) {
        let file = self.dir().join("nginx.pid");
        let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        let until = Instant::now() + Duration::from_secs(10);
        while file.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
