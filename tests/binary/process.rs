//! Processes of `silta`: run to the end, or watched line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long anything may take. It is no measure of anything, only the end of waiting for what does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is personal in inputs and must not be seen in anything that is told about them.
pub(crate) const CANARIES: [&str; 3] = ["010190-999W", "Kanarialintu", "Pulu"];

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// The same, if it ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// The command, apart from the tester's own environment.
pub(crate) fn silta(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_silta"));
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str]) -> Done {
    done(silta(args), Vec::new())
}

/// Runs a command to its end, with something on standard input.
pub(crate) fn fed(args: &[&str], input: &[u8]) -> Done {
    done(silta(args), input.to_vec())
}

/// Runs a command to its end. It says nothing personal on standard error, ever.
pub(crate) fn done(mut command: Command, input: Vec<u8>) -> Done {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("an input");
    // A command that does not want its input ends without it.
    let feeder = thread::spawn(move || stdin.write_all(&input).is_ok());
    let mut stderr = child.stderr.take().expect("standard error");
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).expect("readable");
        String::from_utf8(text).expect("text")
    });
    let mut out = Vec::new();
    child.stdout.take().expect("an output").read_to_end(&mut out).expect("readable");
    let status = child.wait().expect("it ends");
    feeder.join().expect("fed");
    let err = errors.join().expect("read");
    assert_private(&err);
    Done { code: code(status), out: String::from_utf8(out).expect("text"), err }
}

/// The most memory that a process has held so far, in bytes.
fn peak_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// The most memory a command holds before the first of its output is taken, and how many lines it prints: more than a
/// pipe holds.
pub(crate) fn measured(args: &[&str]) -> (u64, usize) {
    let mut command = silta(args);
    let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
    let mut out = BufReader::with_capacity(1, child.stdout.take().expect("an output"));
    assert!(!out.fill_buf().expect("readable").is_empty(), "it prints something");
    let peak = peak_memory(&child);
    let lines = BufReader::new(out).lines().map_while(Result::ok).count();
    child.wait().expect("it ends");
    (peak, lines)
}

/// Nothing personal is in a text.
#[track_caller]
pub(crate) fn assert_private(text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// A running command. Dropped, it is killed, as by `kill -9`: it alone, none of its children.
pub(crate) struct Process {
    child: Child,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
}

impl Process {
    /// Starts `silta` with arguments.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(silta(args))
    }

    /// Starts `silta` on a terminal of its own, as a person does, in a directory. What it says and what is typed are
    /// its output.
    pub(crate) fn on_terminal(dir: &str, args: &[&str]) -> Self {
        let line = std::iter::once(&env!("CARGO_BIN_EXE_silta")).chain(args);
        let line: Vec<String> = line.map(|word| format!("'{word}'")).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]).env_clear().current_dir(dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::of(command)
    }

    /// What it reads: lines are typed into it.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("an input")
    }

    /// Starts a command whose output is piped, in a process group of its own, as a shell does.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.process_group(0).spawn().expect("it starts");
        let out = Lines::of(child.stdout.take().expect("an output"));
        let err = Lines::of(child.stderr.take().expect("standard error"));
        Self { child, out, err }
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        self.kill(name, &self.child.id().to_string());
    }

    /// Sends its whole group a signal, as a terminal does.
    pub(crate) fn signal_group(&self, name: &str) {
        self.kill(name, &format!("-{}", self.child.id()));
    }

    fn kill(&self, signal: &str, whom: &str) {
        let sent = Command::new("sh").args(["-c", r#"kill -s "$0" -- "$1""#, signal, whom]).status();
        assert!(sent.expect("a shell").success());
    }

    /// The most memory it has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        peak_memory(&self.child)
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> i32 {
        self.out.rest();
        code(self.child.wait().expect("it ends"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines a process prints, as they come.
pub(crate) struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (tell, coming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Self { coming, seen: Vec::new() }
    }

    /// Waits for the next line that holds a text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Some(line) = self.next() else { panic!("no line with {text:?} came, but:\n{}", self.seen.join("\n")) };
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Everything that was printed, when there is no more to come.
    pub(crate) fn rest(&mut self) -> String {
        while self.next().is_some() {}
        self.seen.join("\n")
    }

    fn next(&mut self) -> Option<String> {
        match self.coming.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing comes any more after:\n{}", self.seen.join("\n")),
        }
    }
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(PAUSE);
    }
    panic!("it did not come to pass: {what}")
}
