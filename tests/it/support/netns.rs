//! Networks of their own on this machine: hosts at public addresses, and hosts behind routers that translate theirs.
//! Needs CAP_NET_ADMIN and CAP_SYS_ADMIN; `ip` and `nft` are fetched.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

static LABS: AtomicUsize = AtomicUsize::new(0);
static TOOLS: OnceLock<PathBuf> = OnceLock::new();

/// `ip` of iproute2.
pub fn ip() -> Command {
    Command::new(super::fetched("fetch-netlab", &TOOLS).join("ip"))
}

/// May this process make networks? Says so if not: then nothing is tried. (In CI it may.) A root in a container often may not.
pub fn may_make() -> bool {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    let status = fs::read_to_string("/proc/self/status").expect("is there");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("it is told");
    let capabilities = u64::from_str_radix(line.trim(), 16).expect("a number");
    let may = capabilities & NET_ADMIN != 0 && capabilities & SYS_ADMIN != 0;
    if !may {
        eprintln!("networks of one's own need CAP_NET_ADMIN and CAP_SYS_ADMIN: this was not tried");
    }
    may
}

/// Hosts and routers; gone when dropped.
pub struct Lab {
    tag: String,
    hosts: Vec<String>,
}

/// `nft` of nftables.
fn nft() -> PathBuf {
    super::fetched("fetch-netlab", &TOOLS).join("nft")
}

/// How a router chooses the port it sends from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// The host's own, whomever it sends to: a hole can be punched.
    Kept,
    /// Another one for every other end.
    Random,
}

impl Lab {
    /// A network that everybody reaches, 198.51.100.0/24, and nobody on it yet.
    pub fn new() -> Self {
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let mut lab = Self { tag: format!("toft-{}-{number}", std::process::id()), hosts: Vec::new() };
        let world = lab.namespace("world");
        lab.ip(&["-n", &world, "link", "add", "bridge", "type", "bridge"]);
        lab.ip(&["-n", &world, "link", "set", "bridge", "up"]);
        lab
    }

    pub fn name(&self, host: &str) -> String {
        format!("{}-{host}", self.tag)
    }

    /// A host at 198.51.100.`last`.
    pub fn host(&mut self, host: &str, last: u8) -> String {
        let name = self.namespace(host);
        self.plug(&name, "eth0", &format!("198.51.100.{last}/24"), &self.name("world"), "bridge");
        self.ip(&["-n", &name, "route", "add", "default", "dev", "eth0"]);
        name
    }

    /// A host at 192.168.`net`.2 behind a router of its own at 198.51.100.`last`.
    pub fn behind_router(&mut self, host: &str, net: u8, last: u8, ports: Ports) -> String {
        let router = self.host(&format!("router{net}"), last);
        let name = self.namespace(host);
        let inner = ["-n", &router, "link", "add", "in", "type", "veth", "peer", "name", "eth0", "netns", &name];
        self.ip(&inner);
        for (at, link, address) in [(&router, "in", 1), (&name, "eth0", 2)] {
            self.ip(&["-n", at, "address", "add", &format!("192.168.{net}.{address}/24"), "dev", link]);
            self.ip(&["-n", at, "link", "set", link, "up"]);
        }
        self.ip(&["-n", &name, "route", "add", "default", "via", &format!("192.168.{net}.1")]);
        self.sh(&router, "echo 1 > /proc/sys/net/ipv4/ip_forward");
        let how = if ports == Ports::Random { "random,fully-random" } else { "" };
        self.nft(
            &router,
            &format!(
                "table ip lab {{
                    chain post {{ type nat hook postrouting priority 100; oifname \"eth0\" masquerade {how}; }}
                    chain through {{ type filter hook forward priority 0; policy drop;
                        ct state established,related accept; iifname \"in\" accept; }}
                    chain to {{ type filter hook input priority 0; iifname \"eth0\" ct state new drop; }}
                }}"
            ),
        );
        name
    }

    /// The line of the host behind the router `net` swallows everything, both ways, and nobody is told; or it does not any more.
    pub fn swallow(&self, net: u8, is_swallowing: bool) {
        let router = self.name(&format!("router{net}"));
        let rules = if is_swallowing {
            "table ip hole {\nchain through { type filter hook forward priority -1; policy drop; }\n}"
        } else {
            "delete table ip hole"
        };
        self.nft(&router, rules);
    }

    /// The router `net` has another address from now on, 198.51.100.`to` in place of `from`, and the host behind it too: 192.168.`net`.7.
    pub fn renumber(&self, net: u8, host: &str, (from, to): (u8, u8)) {
        let router = self.name(&format!("router{net}"));
        self.ip(&["-n", &router, "address", "del", &format!("198.51.100.{from}/24"), "dev", "eth0"]);
        self.ip(&["-n", &router, "address", "add", &format!("198.51.100.{to}/24"), "dev", "eth0"]);
        self.ip(&["-n", &router, "route", "replace", "default", "dev", "eth0"]);
        self.ip(&["-n", host, "address", "del", &format!("192.168.{net}.2/24"), "dev", "eth0"]);
        self.ip(&["-n", host, "address", "add", &format!("192.168.{net}.7/24"), "dev", "eth0"]);
        self.ip(&["-n", host, "route", "replace", "default", "via", &format!("192.168.{net}.1")]);
    }

    /// Begins to count what a host sends.
    pub fn count(&self, host: &str) {
        let chain = "chain sent { type filter hook output priority 0; oifname \"eth0\" counter; }";
        self.nft(host, &format!("table inet watch {{\n{chain}\n}}"));
    }

    /// Packets that a host has sent since.
    pub fn sent(&self, host: &str) -> u64 {
        let all = self.run(ip().args(["netns", "exec", host]).arg(nft()).args(["list", "table", "inet", "watch"]));
        let count = all.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {all}"))
    }

    fn namespace(&mut self, host: &str) -> String {
        let name = self.name(host);
        self.ip(&["netns", "add", &name]);
        self.hosts.push(name.clone());
        // What the kernel itself says on a new network is said in IPv6.
        self.sh(
            &name,
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
        );
        self.ip(&["-n", &name, "link", "set", "lo", "up"]);
        name
    }

    /// A cable from a host to a bridge elsewhere.
    fn plug(&self, host: &str, link: &str, address: &str, other: &str, bridge: &str) {
        let end = format!("p{}", self.hosts.len());
        self.ip(&["-n", host, "link", "add", link, "type", "veth", "peer", "name", &end, "netns", other]);
        self.ip(&["-n", other, "link", "set", &end, "master", bridge, "up"]);
        self.ip(&["-n", host, "address", "add", address, "dev", link]);
        self.ip(&["-n", host, "link", "set", link, "up"]);
    }

    fn ip(&self, args: &[&str]) {
        self.run(ip().args(args));
    }

    fn sh(&self, host: &str, script: &str) {
        self.run(ip().args(["netns", "exec", host, "sh", "-c", script]));
    }

    fn nft(&self, host: &str, rules: &str) {
        let mut command = ip();
        command.args(["netns", "exec", host]).arg(nft()).args(["-f", "-"]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("ip runs");
        child.stdin.take().expect("piped").write_all(rules.as_bytes()).expect("takes rules");
        assert!(child.wait().expect("ends").success(), "nft refuses: {rules}");
    }

    fn run(&self, command: &mut Command) -> String {
        let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ = ip().args(["netns", "del", host]).status();
        }
    }
}
