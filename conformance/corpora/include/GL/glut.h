// Empty: Rodinia's hybridsort includes this header and uses nothing of it.
#pragma once
