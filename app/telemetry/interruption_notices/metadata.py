"""The address at which a machine asks its cloud about itself: plain HTTP, never by a proxy, never for long."""

import http.client
import urllib.request

LINK_LOCAL = "http://169.254.169.254"
"""The same on EC2 and on Azure: no router passes it on."""
TIMEOUT_S = 2.0


class MetadataAddress:
    """Asks there."""

    def __init__(self, address: str | None = None) -> None:
        """`address` instead of the clouds' own, such as `http://[fd00:ec2::254]`."""
        self.address = (address or LINK_LOCAL).rstrip("/")
        # Proxies are for the world outside; the machine's own address is asked directly.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(
        self, path: str, headers: dict[str, str], *, method: str = "GET", timeout_s: float = TIMEOUT_S
    ) -> str:
        """The answer's text.

        Raises:
            OSError: no answer; HTTPError, which is one too, where it is not 2xx.
        """
        request = urllib.request.Request(self.address + path, method=method, headers=headers)  # noqa: S310 http alone
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return str(answer.read().decode(errors="replace"))
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__} from {self.address}") from error
