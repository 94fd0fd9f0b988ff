"""Pictures, with matplotlib; every function takes arrays first, draws on `axes` or a new figure's, and returns the axes.

>>> with plots.theme("dark"):  # doctest: +SKIP
...     plots.save(plots.metric_curves(result.data, along="episodes"), "curves.png")
"""

from jax_ac.agent_plots import policy_map as policy_map
from jax_ac.agent_plots import value_map as value_map
from jax_ac.agent_plots import visited_states as visited_states
from jax_ac.canvas import PALETTE as PALETTE
from jax_ac.canvas import THEMES as THEMES
from jax_ac.canvas import palette as palette
from jax_ac.canvas import save as save
from jax_ac.canvas import theme as theme
from jax_ac.comparison_plots import forest as forest
from jax_ac.comparison_plots import performance_profiles as performance_profiles
from jax_ac.curve_plots import QUARTILES as QUARTILES
from jax_ac.curve_plots import Band as Band
from jax_ac.curve_plots import confidence as confidence
from jax_ac.curve_plots import learning_curves as learning_curves
from jax_ac.curve_plots import metric_curves as metric_curves
from jax_ac.solving_plots import episodes_to_solve as episodes_to_solve
from jax_ac.solving_plots import solved_curves as solved_curves
from jax_ac.sweep_plots import heat_map as heat_map
from jax_ac.sweep_plots import sensitivity as sensitivity
from jax_ac.sweep_plots import sweep_curves as sweep_curves
