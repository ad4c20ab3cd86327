// Small things kept in the browser; a browser that forbids storage simply forgets them.

/** Keep a value for later visits, or for this tab alone. */
export function remember(name, value, store = "localStorage") {
  try {
    if (value === null) window[store].removeItem(name);
    else window[store].setItem(name, value);
  } catch {
    // Private windows may refuse; nothing here is needed for the page to work.
  }
}

/** Return what was kept under a name, or null. */
export function recall(name, store = "localStorage") {
  try {
    return window[store].getItem(name);
  } catch {
    return null;
  }
}
