"""Models of one station."""

from __future__ import annotations

import math
from collections.abc import Callable

import laws
import numpy as np
import observe
from builders import closed, constant, entry, exp, gamma, geometric, lognormal, plane, poisson, service, work
from cases import Figures, Model, Setting, mean_alone, mean_and_p99
from scipy import special

from meshsim.architectures.plane import PlaneService
from meshsim.model.distributions import Distribution
from meshsim.model.traffic import Arrivals, Sessions

MEAN_S = 0.01  # of a service time
CV = 1.5  # of services that vary more than exponential ones
SIGMA = math.sqrt(math.log(1.0 + CV * CV))
USERS = 8
LONG_S, SHORT_S, SHORT_SHARE = 0.034, 0.004, 0.8  # demands of two classes, MEAN_S on average


def station(name: str = "a", mean: float = MEAN_S, cores: float = 1.0, **fields: object) -> PlaneService:
    """Exponential services."""
    return service(name, work(exp(mean)), cores=cores, **fields)


def exponential(mean: float) -> Figures:
    """Figures of an exponential latency."""
    return mean_and_p99(mean, lambda t: math.exp(-t / mean))


def lognormal_p99(mean: float, cv: float) -> float:
    """By the quantile of the normal distribution."""
    variance = math.log(1.0 + cv * cv)
    return mean * math.exp(float(special.ndtri(0.99)) * math.sqrt(variance) - variance / 2.0)


def mm1(rho: float) -> Setting:
    rate = rho / MEAN_S
    figures = {**exponential(MEAN_S / (1.0 - rho)), "utilisation": (rho, observe.utilization())}
    return Setting(plane(station(), arrivals=poisson(rate)), rate, figures)


def mm1_lifo(rho: float) -> Setting:
    rate = rho / MEAN_S
    tail = laws.euler_tail(laws.mm1_lifo_sojourn(rate, MEAN_S))
    figures = mean_and_p99(MEAN_S / (1.0 - rho), tail)
    return Setting(plane(station(discipline="lifo"), arrivals=poisson(rate)), rate, figures)


def mmc_ps(cores: int, rho: float) -> Setting:
    rate = rho * cores / MEAN_S
    figures = mean_and_p99(laws.mmc_mean(rate, MEAN_S, cores), laws.mmc_ps_tail(rate, MEAN_S, cores))
    return Setting(plane(station(cores=cores, discipline="ps"), arrivals=poisson(rate)), rate, figures)


def mmc(servers: int, rho: float) -> Setting:
    rate = rho * servers / MEAN_S
    figures = mean_and_p99(laws.mmc_mean(rate, MEAN_S, servers), laws.mmc_tail(rate, MEAN_S, servers))
    figures["utilisation"] = (rho, observe.utilization(cores=servers))
    return Setting(plane(station(cores=servers), arrivals=poisson(rate)), rate, figures)


def slots(rho: float) -> Setting:
    """Cores without end: the slots of `concurrency` are the servers."""
    rate = rho * 3 / MEAN_S
    figures = mean_and_p99(laws.mmc_mean(rate, MEAN_S, 3), laws.mmc_tail(rate, MEAN_S, 3))
    figures["share that waited"] = (laws.erlang_c(rate * MEAN_S, 3), observe.share_waited)
    return Setting(plane(station(cores=math.inf, concurrency=3), arrivals=poisson(rate)), rate, figures)


def half_core(discipline: str, rho: float) -> Setting:
    rate, slower = rho * 0.5 / MEAN_S, MEAN_S / 0.5
    mean = slower / (1.0 - rho)
    figures = exponential(mean) if discipline == "fifo" else mean_and_p99(mean, laws.mmc_ps_tail(rate, slower, 1))
    return Setting(plane(station(cores=0.5, discipline=discipline), arrivals=poisson(rate)), rate, figures)


def threads(rho: float) -> Setting:
    rate = rho * 2 / MEAN_S
    figures = exponential(MEAN_S / (1.0 - rho))
    return Setting(plane(station(cores=2, threads=2), arrivals=poisson(rate)), rate, figures)


# -- general services ------------------------------------------------------------------------------------------


def md1(rho: float) -> Setting:
    return _mg1(rho, constant(MEAN_S), 0.0, lambda t: (t >= MEAN_S).astype(float))


def m_lognormal_1(rho: float) -> Setting:
    middle = math.log(MEAN_S) - SIGMA * SIGMA / 2.0

    def cdf(t: laws.Floats) -> laws.Floats:
        return special.ndtr((np.log(np.maximum(t, 1e-300)) - middle) / SIGMA)

    return _mg1(rho, lognormal(MEAN_S, CV), CV * CV, cdf)


def m_gamma_1(rho: float) -> Setting:
    return _mg1(rho, gamma(MEAN_S, 0.5), 0.25, lambda t: special.gammainc(4.0, 4.0 * t / MEAN_S))


def _mg1(rho: float, demand: Distribution, squared_cv: float, cdf: laws.Distribution) -> Setting:
    rate = rho / MEAN_S
    mean = laws.pollaczek_khinchine(rate, MEAN_S, squared_cv)
    figures = {**mean_alone(mean), "p99": (laws.mg1_p99(rate, MEAN_S, cdf), observe.p99_latency)}
    return Setting(plane(service("a", work(demand)), arrivals=poisson(rate)), rate, figures)


def mg1_ps(rho: float) -> Setting:
    """Two classes of constant demands, a stream and an endpoint each."""
    rate = rho / MEAN_S
    ends = {"short": ((work(constant(SHORT_S)),),), "long": ((work(constant(LONG_S)),),)}
    shares = {"short": SHORT_SHARE, "long": 1.0 - SHORT_SHARE}
    entries = [entry(name, "a", poisson(rate * share), endpoint=name) for name, share in shares.items()]
    figures = {  # streams are in the order of their names
        "mean of long": (LONG_S / (1.0 - rho), observe.mean_latency(0)),
        "mean of short": (SHORT_S / (1.0 - rho), observe.mean_latency(1)),
    }
    return Setting(plane(service("a", discipline="ps", endpoints=ends), entries=entries), rate, figures)


def m_g_infinity(_: float) -> Setting:
    mean, rate = 0.1, 200.0
    figures = {
        **mean_alone(mean),
        "p99": (lognormal_p99(mean, 1.0), observe.p99_latency),
        "number present": (rate * mean, observe.present),
    }
    endless = service("a", work(lognormal(mean, 1.0)), cores=math.inf)
    return Setting(plane(endless, arrivals=poisson(rate)), rate, figures)


# -- other arrivals --------------------------------------------------------------------------------------------


def dm1(rho: float) -> Setting:
    rate = rho / MEAN_S
    return _gim1(rate, Arrivals(kind="constant", rate_per_s=rate), lambda s: np.exp(-s / rate))


def gamma_m_1(rho: float) -> Setting:
    rate, shape = rho / MEAN_S, CV**-2
    arrivals = Arrivals(kind="renewal", gap=gamma(1.0 / rate, CV))
    return _gim1(rate, arrivals, lambda s: (1.0 + s / (shape * rate)) ** -shape)


def e3m1(rho: float) -> Setting:
    rate = rho / MEAN_S
    arrivals = Arrivals(kind="renewal", gap=Distribution(kind="erlang", params=(3.0, 1.0 / rate)))
    return _gim1(rate, arrivals, lambda s: (1.0 + s / (3.0 * rate)) ** -3)


def _gim1(rate: float, arrivals: Arrivals, gap: laws.Transform) -> Setting:
    figures = exponential(laws.gim1_mean(rate, MEAN_S, gap))
    return Setting(plane(station(), arrivals=arrivals), rate, figures)


def batches(rho: float) -> Setting:
    rate, size = rho / MEAN_S, 2.0
    arrivals = Arrivals(kind="batch", rate_per_s=rate, size=geometric(size))
    return Setting(plane(station(), arrivals=arrivals), rate, exponential(size * MEAN_S / (1.0 - rho)))


def mmpp(rho: float) -> Setting:
    rate, stays = rho / MEAN_S, (0.1, 0.1)
    rates = (1.5 * rate, 0.5 * rate)
    arrivals = Arrivals(kind="mmpp", rates_per_s=rates, stay_s=stays)
    return Setting(plane(station(), arrivals=arrivals), rate, mean_and_p99(*laws.mmpp_m1(rates, stays, MEAN_S)))


def sessions(rho: float) -> Setting:
    """An open network of the station and of users who think: each request finds what a Poisson arrival would."""
    rate = rho / MEAN_S
    visits = Sessions(requests=geometric(2.0), gap=exp(0.5))
    entries = [entry("s", "a", poisson(rate), visits)]
    return Setting(plane(station(), entries=entries), rate, exponential(MEAN_S / (1.0 - rho)))


# -- losses and closed loops -----------------------------------------------------------------------------------


def mm25(rho: float) -> Setting:
    rate = rho * 2 / MEAN_S
    loss, mean, tail = laws.mmck(rate, MEAN_S, 2, 5)
    figures = {"share rejected": (loss, observe.share_rejected), **mean_and_p99(mean, tail)}
    return Setting(plane(station(cores=2, concurrency=2, queue=3), arrivals=poisson(rate)), rate, figures)


def erlang_loss(rho: float) -> Setting:
    rate = rho * 4 / MEAN_S
    limited = service("a", work(lognormal(MEAN_S, 2.0)), cores=math.inf, concurrency=4, queue=0)
    figures = {"share rejected": (laws.erlang_b(rate * MEAN_S, 4), observe.share_rejected)}
    return Setting(plane(limited, arrivals=poisson(rate)), rate, figures)


def repairman(rho: float) -> Setting:
    return _repairman(exp, rho)


def repairman_lognormal(rho: float) -> Setting:
    return _repairman(lambda think: lognormal(think, CV), rho)


def _repairman(law: Callable[[float], Distribution], rho: float) -> Setting:
    think = laws.repairman_think(USERS, rho, MEAN_S)
    _, mean, tail = laws.repairman(USERS, think, MEAN_S)
    figures = {**mean_and_p99(mean, tail), "utilisation": (rho, observe.utilization())}
    return Setting(plane(station(), arrivals=closed(USERS, law(think))), rho / MEAN_S, figures)


MODELS = (
    Model("M/M/1 FIFO", "Kleinrock 1, 5.12", mm1),
    Model("M/M/1 LIFO", "Conway, Maxwell and Miller 1967; Wishart 1960", mm1_lifo),
    Model("M/M/1 PS", "Coffman, Muntz and Trotter 1970", lambda rho: mmc_ps(1, rho)),
    Model("M/M/4", "Erlang 1917; Gross and Harris, 2.3", lambda rho: mmc(4, rho), (0.5, 0.7, 0.75)),
    Model("M/M/3 by `concurrency`", "Erlang 1917; Gross and Harris, 2.3", slots, (1.2, 0.8, 0.85)),
    Model("M/M/3 PS", "Erlang 1917; chain as of M/M/1 PS", lambda rho: mmc_ps(3, rho), (0.8, 0.8, 0.85)),
    Model("half a core, FIFO", "M/M/1 at half the speed", lambda rho: half_core("fifo", rho)),
    Model("half a core, PS", "M/M/1 PS at half the speed", lambda rho: half_core("ps", rho)),
    Model("two threads of one core", "two M/M/1", threads),
    Model("M/D/1", "Pollaczek 1930; Erlang 1909", md1, (0.5, 0.6, 0.6)),
    Model("M/lognormal/1, cv 1.5", "Pollaczek 1930; Beneš 1957", m_lognormal_1, (4.0, 3.6, 2.2)),
    Model("M/gamma/1, cv 0.5", "Pollaczek 1930; Beneš 1957", m_gamma_1, (0.6, 0.8, 0.75)),
    Model("M/G/1 PS, two classes", "Kleinrock 2, 4.4", mg1_ps),
    Model("M/G/∞, lognormal", "Takács 1962", m_g_infinity, utilizations=(None,)),
    Model("D/M/1", "Kleinrock 1, 6.4", dm1, (0.8, 0.8, 0.65)),
    Model("gamma/M/1, cv 1.5", "Kleinrock 1, 6.4", gamma_m_1, (1.2, 1.6, 1.75)),
    Model("E3/M/1", "Kleinrock 1, 6.4", e3m1, 0.8),
    Model("M[X]/M/1, geometric batches of 2", "Kleinrock 1, 4.5", batches, (1.4, 2.3, 2.4)),
    Model("MMPP/M/1", "Neuts 1981", mmpp, (2.0, 2.2, 2.8)),
    Model("sessions at M/M/1", "Jackson 1957; BCMP 1975", sessions, (2.1, 2.1, 2.6)),
    Model("M/M/2/5", "Kleinrock 1, 3.8", mm25, (8.0, 0.5, 0.1)),
    Model("M/G/4/4, lognormal", "Erlang 1917; Sevastyanov 1957", erlang_loss, (2.0, 0.2, 0.05)),
    Model("M/M/1//8", "machine repairman; Sevcik and Mitrani 1981", repairman, (0.4, 0.1, 0.05)),
    Model("M/M/1//8, lognormal think time", "BCMP 1975", repairman_lognormal, (0.4, 0.1, 0.05)),
)
