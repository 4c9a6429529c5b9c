/** Loads what is otherwise loaded when it is opened, so that no test waits for the compiler. */
export async function loadPages(): Promise<void> {
  const pages = import.meta.glob(["./**/*Page.tsx", "./account/MailPages.tsx", "./pages/Overview.tsx"]);
  await Promise.all(Object.values(pages).map((load) => load()));
}
