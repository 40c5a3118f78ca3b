// Signs in, waits until a new alarm shows, opens it, acknowledges it with a comment.
//
//   node acknowledge.mjs URL USER PASSWORD COMMENT PATIENCE_MS
//
// Prints {"seen_ms": …} last. Run in the dashboard's folder, whose Playwright it uses.
import { createRequire } from "node:module";
import path from "node:path";

const { chromium } = createRequire(path.join(process.cwd(), "package.json"))("@playwright/test");
const [url, user, password, comment, patience] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage({ locale: "en-GB", viewport: { width: 390, height: 844 } });
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  await page.locator("input[name=user]").fill(user);
  await page.locator("input[name=password]").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  // The first password is changed at the first sign-in.
  const fresh = page.locator("input[name=new]");
  const acknowledge = page.getByRole("button", { name: /^Acknowledge/u }).first();
  const home = page.getByRole("navigation").first();
  await fresh.or(home).first().waitFor();
  if (await fresh.isVisible()) {
    await fresh.fill(`${password}-changed`);
    await page.locator("input[name=again]").fill(`${password}-changed`);
    await page.getByRole("button", { name: "Save new password" }).click();
    await home.waitFor();
  }
  // The harness heats the sensor when it reads this line, while the page is open.
  console.log("watching");
  const began = Date.now();
  await acknowledge.waitFor({ timeout: Number(patience) });
  const seen_ms = Date.now() - began;
  await acknowledge.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill(comment);
  await dialog.getByRole("button", { name: "Acknowledge" }).click();
  await dialog.waitFor({ state: "hidden" });
  console.log(JSON.stringify({ seen_ms }));
} finally {
  await browser.close();
}
