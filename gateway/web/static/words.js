// The reader's language, which the page was written in: English as it stands in scripts, or another from its catalogue
// (gateway/web/locale).

export const language = document.documentElement.lang;

// The same, with what a reader of it expects of numbers and times: the region is the browser's where it says one. What is no
// language tag (RFC 5646) is left out: headless Chromium was seen to say "en-US@posix", and Intl throws at that.
export const locale = navigator.languages.find((one) => one.split("-")[0] === language && isTag(one)) ?? language;

function isTag(one) {
  try {
    return Intl.getCanonicalLocales(one).length === 1;
  } catch {
    return false;
  }
}

const { TEXTS, PROBLEMS } = await import(`/static/texts.${language}.js`);

// Have pages written in this language from now on.
export function choose(one) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `language=${one}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

// A text in the reader's language, with these values in its {placeholders}.
export function words(text, values = {}) {
  return (TEXTS[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// What a problem of the API says, in the reader's language: by its code and kind, or else its own sentence
// (gateway/web/problems.py).
export function why({ type = "", code, detail }) {
  return PROBLEMS[type.replace("urn:problem:gateway:", "")] ?? PROBLEMS[code] ?? sentence(detail);
}

// With a capital, unless it begins with a name, and a full stop: `sentence` of problems.py.
export function sentence(text = "") {
  const begun = /^[a-z]+(?:['’][a-z]+)?[ ,:;]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return begun === "" || ".!?…:".includes(begun.at(-1)) ? begun : `${begun}.`;
}
