// What the runners of this language share; see ../src/lib.rs for what a runner is.

export const BATCH = 500;
export const CONCURRENCY = 32;
const OFFERED = 200;
const DRAIN = Number(process.env.DRAIN_SECS ?? 600) * 1000;

export const phase = process.argv[2];
export const jobs = Number(process.argv[3]);
export const database = process.env.DATABASE_URL;

// The payload of a job: a kilobyte in all.
export function payload(number) {
  const rest = 1024 - JSON.stringify({ number, text: '' }).length;
  return { number, text: 'x'.repeat(rest) };
}

export function batches() {
  const all = [];
  for (let first = 0; first < jobs; first += BATCH) {
    all.push(Array.from({ length: Math.min(BATCH, jobs - first) }, (_, n) => payload(first + n)));
  }
  return all;
}

export function tell(result) {
  process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(0));
}

export class Handled {
  count = 0;
  #starts = [];
  #done;
  constructor() {
    this.all = new Promise((resolve) => (this.#done = resolve));
  }
  one(number) {
    this.#starts.push([number, performance.now()]);
    if (++this.count === jobs) this.#done();
  }
  latencies(offered) {
    const taken = this.#starts.map(([number, at]) => at - offered[number]).sort((a, b) => a - b);
    const percentile = (p) => taken[Math.floor(((taken.length - 1) * p) / 100)];
    return { p50: percentile(50), p95: percentile(95), p99: percentile(99) };
  }
}

// Offers one job after the other at the offered rate; when each was offered.
export async function offer(enqueue) {
  const offered = [];
  const began = performance.now();
  for (let number = 0; number < jobs; number++) {
    const wait = began + (number * 1000) / OFFERED - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    offered.push(performance.now());
    await enqueue(payload(number));
  }
  return offered;
}

// Runs the phase: `work(handled)` starts a worker.
export async function run({ prepare, insert, one, work }) {
  if (phase === 'prepare') {
    await prepare();
    return tell({});
  }
  const handled = new Handled();
  const began = performance.now();
  const rate = () => ({ rate: (jobs * 1000) / (performance.now() - began) });
  switch (phase) {
    case 'enqueue':
      for (const batch of batches()) await insert(batch);
      return tell(rate());
    case 'drain':
      await work(handled);
      await Promise.race([handled.all, new Promise((resolve) => setTimeout(resolve, DRAIN))]);
      return tell({ rate: (handled.count * 1000) / (performance.now() - began), handled: handled.count });
    case 'latency': {
      await work(handled);
      const offered = await offer(one);
      await handled.all;
      return tell(handled.latencies(offered));
    }
    default:
      throw new Error(`no such phase: ${phase}`);
  }
}
