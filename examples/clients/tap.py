"""What the examples in Python say as TAP, the Test Anything Protocol."""

count = 0


def check(what, holds):
    global count
    count += 1
    print(f"{'' if holds else 'not '}ok {count} - {what}", flush=True)


def refused(what, call, code, errors):
    """Checks that the call fails with that SQLSTATE, and a hint."""
    try:
        call()
    except errors as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        check(f"{what}: {code}", cause.pgcode == code and cause.diag.message_hint)
    else:
        check(f"{what}: {code}", False)
