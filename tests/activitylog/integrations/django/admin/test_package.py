from __future__ import annotations

import subprocess
import sys

import pytest

from activitylog.integrations.django import admin


class TestThePackage:
    def test_has_its_names(self):
        """Each leads to what is called so."""
        assert [getattr(admin, name).__name__ for name in admin.__all__] == admin.__all__
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            _ = admin.Nothing

    @pytest.mark.slow
    def test_imports_no_admin_by_itself(self):
        """Django imports it like everything that is called admin; the settings are checked without one."""
        code = (
            "import sys; from activitylog.integrations.django import admin, conf; "
            "conf.read({'read_url': 'chdb:///var/a'}); assert 'django.contrib.admin' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
