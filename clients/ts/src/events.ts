/** What comes one after the other, for `for await`. `ended`: nobody reads any more. */
export function events<T>(next: () => Promise<IteratorResult<T, undefined>>, ended: () => Promise<unknown> | void): AsyncIterableIterator<T, undefined> {
  const its: AsyncIterableIterator<T, undefined> = {
    [Symbol.asyncIterator]: () => its,
    next,
    async return() {
      await ended();
      return { done: true, value: undefined };
    },
  };
  return its;
}
