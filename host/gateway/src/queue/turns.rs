//! Whose turn it is: a decision about numbers, apart from who waits for it. Callers take turns, and of one caller its modules;
//! who may not have one more place now keeps its turn.

use std::collections::{HashMap, VecDeque};

use iog_protocol::ids::{Digest, DomainId};

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests that run at the same time.
    pub runs_max: u32,
    /// Requests of one caller that run at the same time. The rest of the places is left to others, even if nobody asks.
    pub runs_per_caller_max: u32,
    /// Requests for one module, whoever sent them, that run at the same time. The rest is left to other modules.
    pub runs_per_module_max: u32,
    /// Requests that wait.
    pub waiting_max: u32,
    /// Requests that wait beyond those, one of each caller that has nothing else here.
    pub waiting_kept_max: u32,
    /// Requests of one caller, running and waiting together.
    pub per_caller_max: u32,
}

/// Why a request is not taken in. Nothing was recorded: the caller may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// As many wait as may.
    #[error("the gateway is at its capacity")]
    Gateway,
    /// This caller has as many as one caller may.
    #[error("the caller already has {max} requests here, as many as one caller may")]
    Caller {
        /// How many one caller may have.
        max: u32,
    },
}

/// Names a request that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

/// Whether a request that was taken in has its place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    Runs,
    Waits,
}

/// All requests that were taken in. Between two calls of its functions nobody waits who may have a place that is free.
#[derive(Debug)]
pub(super) struct Turns {
    limits: QueueLimits,
    issued: u64,
    running: u32,
    waiting: u32,
    requests: HashMap<Ticket, Request>,
    callers: HashMap<DomainId, Present>,
    modules: HashMap<Digest, u32>,
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Request {
    caller: DomainId,
    module: Digest,
    runs: bool,
}

/// How many requests of one caller are here.
#[derive(Debug, Default, Clone, Copy)]
struct Present {
    /// Running and waiting.
    all: u32,
    running: u32,
}

/// The requests of one caller that wait, by module. Neither it nor any of its modules is empty.
#[derive(Debug)]
struct Line {
    caller: DomainId,
    modules: VecDeque<(Digest, VecDeque<Ticket>)>,
}

impl Turns {
    /// Nobody is here.
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            issued: 0,
            running: 0,
            waiting: 0,
            requests: HashMap::new(),
            callers: HashMap::new(),
            modules: HashMap::new(),
            lines: VecDeque::new(),
        }
    }

    /// The limits.
    pub(super) fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    /// Requests that run and requests that wait.
    pub(super) fn load(&self) -> (u32, u32) {
        (self.running, self.waiting)
    }

    /// Takes a request in, or says that there is no room. A caller that has nothing here is refused only when the seats that
    /// are kept for such callers are taken by other such callers.
    pub(super) fn enter(&mut self, caller: &DomainId, module: &Digest) -> Result<(Ticket, Entered), Full> {
        let present = self.present(caller).all;
        if present >= self.limits.per_caller_max {
            return Err(Full::Caller { max: self.limits.per_caller_max });
        }
        let runs = self.running < self.limits.runs_max && self.may_begin(caller, module);
        let kept = if present == 0 { self.limits.waiting_kept_max } else { 0 };
        if !runs && self.waiting >= self.limits.waiting_max.saturating_add(kept) {
            return Err(Full::Gateway);
        }
        self.issued += 1;
        let ticket = Ticket(self.issued);
        self.requests.insert(ticket, Request { caller: caller.clone(), module: *module, runs: false });
        self.callers.entry(caller.clone()).or_default().all += 1;
        if runs {
            self.begin(ticket);
            return Ok((ticket, Entered::Runs));
        }
        self.wait(ticket, caller, module);
        Ok((ticket, Entered::Waits))
    }

    /// Lets a request go, whether it ran or waited. Gives those whose turn it is now; they have their places.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Vec<Ticket> {
        let Some(request) = self.requests.remove(&ticket) else { return Vec::new() };
        if request.runs {
            self.end(&request)
        } else {
            self.give_up(ticket, &request)
        }
        if let Some(present) = self.callers.get_mut(&request.caller) {
            present.all -= 1;
            if present.all == 0 {
                self.callers.remove(&request.caller);
            }
        }
        let mut called = Vec::new();
        while let Some(next) = self.next() {
            self.begin(next);
            called.push(next);
        }
        called
    }

    fn present(&self, caller: &DomainId) -> Present {
        self.callers.get(caller).copied().unwrap_or_default()
    }

    /// Whether caller and module have less than their shares.
    fn may_begin(&self, caller: &DomainId, module: &Digest) -> bool {
        let of_module = self.modules.get(module).copied().unwrap_or_default();
        self.present(caller).running < self.limits.runs_per_caller_max && of_module < self.limits.runs_per_module_max
    }

    fn begin(&mut self, ticket: Ticket) {
        let Some(request) = self.requests.get_mut(&ticket) else { return };
        request.runs = true;
        self.running += 1;
        self.callers.entry(request.caller.clone()).or_default().running += 1;
        *self.modules.entry(request.module).or_default() += 1;
    }

    fn end(&mut self, request: &Request) {
        self.running -= 1;
        if let Some(present) = self.callers.get_mut(&request.caller) {
            present.running -= 1;
        }
        if let Some(of_module) = self.modules.get_mut(&request.module) {
            *of_module -= 1;
            if *of_module == 0 {
                self.modules.remove(&request.module);
            }
        }
    }

    fn wait(&mut self, ticket: Ticket, caller: &DomainId, module: &Digest) {
        self.waiting += 1;
        let Some(line) = self.lines.iter_mut().find(|line| line.caller == *caller) else {
            let modules = VecDeque::from([(*module, VecDeque::from([ticket]))]);
            return self.lines.push_back(Line { caller: caller.clone(), modules });
        };
        match line.modules.iter_mut().find(|(of, _)| of == module) {
            Some((_, tickets)) => tickets.push_back(ticket),
            None => line.modules.push_back((*module, VecDeque::from([ticket]))),
        }
    }

    fn give_up(&mut self, ticket: Ticket, request: &Request) {
        self.waiting -= 1;
        if let Some(line) = self.lines.iter_mut().find(|line| line.caller == request.caller) {
            for (_, tickets) in line.modules.iter_mut().filter(|(of, _)| *of == request.module) {
                tickets.retain(|other| *other != ticket);
            }
            line.modules.retain(|(_, tickets)| !tickets.is_empty());
        }
        self.lines.retain(|line| !line.modules.is_empty());
    }

    /// The first in turn that may have a place, out of its line. Its caller and its module are last in turn from now on.
    fn next(&mut self) -> Option<Ticket> {
        if self.running >= self.limits.runs_max {
            return None;
        }
        let may = |line: &Line| line.modules.iter().position(|(module, _)| self.may_begin(&line.caller, module));
        let (at, among) = self.lines.iter().enumerate().find_map(|(at, line)| Some((at, may(line)?)))?;
        let mut line = self.lines.remove(at)?;
        let (module, mut tickets) = line.modules.remove(among)?;
        let ticket = tickets.pop_front()?;
        self.waiting -= 1;
        if !tickets.is_empty() {
            line.modules.push_back((module, tickets));
        }
        if !line.modules.is_empty() {
            self.lines.push_back(line);
        }
        Some(ticket)
    }
}

#[cfg(test)]
#[path = "properties.rs"]
mod properties;
