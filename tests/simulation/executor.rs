//! Tasks that take turns in an order that a seed decides.
//!
//! A task gives up its turn only where it says so ([`Switch::pass`]): before and after every commit of the ledger and
//! every call of a destination. Between two such points nothing else runs, so a history is its seed and nothing else;
//! and dropping a task at such a point is what a `kill -9` does.

use rand::Rng as _;
use rand::rngs::StdRng;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Where tasks give up their turn.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    /// Lets others run.
    pub(crate) async fn pass(&self) {
        let mut passed = false;
        std::future::poll_fn(|context| match std::mem::replace(&mut passed, true) {
            true => Poll::Ready(()),
            false => {
                self.0.store(true, Ordering::SeqCst);
                // Whoever waits for several things at once asks again only for those that were woken.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of all processes.
pub(crate) struct Executor {
    switch: Arc<Switch>,
    tasks: Vec<(usize, Work)>,
    /// A process that gets no turns, as if it had been stopped.
    pub(crate) stopped: Option<usize>,
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Executor {
    pub(crate) fn new(switch: Arc<Switch>) -> Self {
        Self { switch, tasks: Vec::new(), stopped: None }
    }

    /// Starts a task of a process.
    pub(crate) fn start(&mut self, process: usize, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push((process, Box::pin(work)));
    }

    /// How many tasks a process has.
    pub(crate) fn running(&self, process: usize) -> usize {
        self.tasks.iter().filter(|(of, _)| *of == process).count()
    }

    /// Ends all tasks of a process where they stand.
    pub(crate) fn kill(&mut self, process: usize) {
        self.tasks.retain(|(of, _)| *of != process);
    }

    /// Gives one task its turn.
    pub(crate) fn step(&mut self, rng: &mut StdRng) {
        let able = |(_, (of, _)): &(usize, &(usize, Work))| Some(*of) != self.stopped;
        let able: Vec<usize> = self.tasks.iter().enumerate().filter(able).map(|(at, _)| at).collect();
        if able.is_empty() {
            return;
        }
        let at = able[rng.random_range(0..able.len())];
        if turn(&self.switch, &mut self.tasks[at].1) {
            drop(self.tasks.swap_remove(at));
        }
    }

    /// Runs one piece of work to its end, alone.
    pub(crate) fn finish<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        let mut done = None;
        {
            let mut work: Pin<Box<dyn Future<Output = ()> + Send + '_>> = Box::pin(async { done = Some(work.await) });
            while !turn(&self.switch, &mut work) {}
        }
        done.expect("it has ended")
    }
}

/// Runs a task until it gives up its turn, or ends (true). Where it waits for a thread of its own, so do we.
fn turn(switch: &Switch, work: &mut Pin<Box<dyn Future<Output = ()> + Send + '_>>) -> bool {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if work.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        if switch.0.swap(false, Ordering::SeqCst) {
            return false;
        }
        std::thread::park();
    }
}
