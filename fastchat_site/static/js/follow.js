// Keeps the end of a growing page in sight, until the reader scrolls away from it.

const NEAR_END_PX = 160;

function isNearEnd() {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  return scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
}

/**
 * Follow the end of the page while `element` grows.
 *
 * @returns {() => void} goes to the end now, wherever the reader is
 */
export function followEnd(element) {
  let isFollowing = true;
  const goToEnd = () => {
    isFollowing = true;
    scrollTo({ top: document.documentElement.scrollHeight });
  };
  new ResizeObserver(() => isFollowing && goToEnd()).observe(element);
  // Growth moves the end away without a scroll event, so only the reader's own scrolling counts.
  addEventListener("scroll", () => (isFollowing = isNearEnd()), { passive: true });
  return goToEnd;
}
