// A hidden page closes its connections after a minute, because browsers have six for each server and a token has five
// streams, and opens them when it is visible again.

const UNSEEN = 60_000; // milliseconds

// `close()` is called then, unless `stays()`, and `open()` afterwards.
export function whileUnseen({ close, open, stays = () => false }) {
  let timer = null;
  const state = { isClosed: false, stop };

  function changed() {
    clearTimeout(timer);
    if (document.hidden && !state.isClosed && !stays()) {
      timer = setTimeout(() => { state.isClosed = true; close(); }, UNSEEN);
    } else if (!document.hidden && state.isClosed) {
      state.isClosed = false;
      open();
    }
  }

  function stop() {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", changed);
  }

  document.addEventListener("visibilitychange", changed);
  return state;
}
