// One WebSocket a page: JSON events, reconnecting with growing pauses until the page is left.

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 10_000;
// A short break heals unseen; a longer one is worth a sentence.
const PATIENCE_MS = 700;

/** Connects a page to its consumer. */
export class PageSocket {
  /**
   * @param {string} path address on this site, e.g. "/ws/battle/"
   * @param {{onOpen: () => void, onEvent: (event: object) => void, onLost: (isLost: boolean) => void}} handlers
   */
  constructor(path, { onOpen, onEvent, onLost }) {
    this.address = new URL(path, location.href.replace(/^http/, "ws"));
    Object.assign(this, { onOpen, onEvent, onLost });
    this.failures = 0;
    this.connect();
    addEventListener("online", () => this.connectNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.connectNow());
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Send an event; says whether there was a connection to send it through. */
  send(event) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(event));
    return true;
  }

  /** Give up the present connection, which seems dead, and make another. */
  reconnect() {
    const old = this.socket;
    old.onclose = old.onmessage = null;
    old.close();
    this.connect();
  }

  connect() {
    clearTimeout(this.retry);
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      clearTimeout(this.patience);
      this.patience = undefined;
      this.onLost(false);
      this.onOpen();
    };
    socket.onmessage = ({ data }) => this.onEvent(JSON.parse(data));
    socket.onclose = () => this.retryLater();
  }

  connectNow() {
    if (this.socket.readyState === WebSocket.CLOSED) this.connect();
  }

  retryLater() {
    this.patience ??= setTimeout(() => this.onLost(true), PATIENCE_MS);
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
    this.failures += 1;
    // Jitter keeps a thousand pages from coming back in the same instant.
    this.retry = setTimeout(() => this.connect(), pause * (0.5 + Math.random()));
  }
}
